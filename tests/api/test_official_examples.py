"""The official examples go in through each door, and come out byte for byte as they went in."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from doors import Api, application
from messaging.documents import Catalogue, Validator
from messaging.flow import clients
from messaging.http import Response
from messaging.model.message import Envelope
from messaging.model.party import Client, Party
from messaging.settings import Settings
from world import SHARED, UNHURRIED, Databases, SetClock, world

FOLDER = SHARED / "standards/examples"
STANDARDS = ("plo", "Dialogmelding", "Henvisning", "Epikrise", "AppRec")
REFUSED = {
    "AppRec-v1-eksempel-avvist.xml": "names nobody by HER-id",
    "AppRec-v1-eksempel-ok.xml": "names nobody by HER-id",
    "AppRec-v1-eksempel-ok_feil_i_delmelding.xml": "names nobody by HER-id",
    "example-ok-feil-i-delmelding.xml": "names nobody by HER-id",
    "unknown-status.xml": "its status is outside list 8258",
    "missing-migversion.xml": "a counter-example of its publisher",
    "unknown-migversion.xml": "a counter-example of its publisher",
}
"""Examples that no exchange can route, or that were made to be refused."""

Round = dict[Path, tuple[bytes, Envelope]]

pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="the official examples are not beside the checkout (SAMHANDLING_SHARED)"
)


@pytest.fixture(scope="module")
def rounds() -> list[Round]:
    """The examples, in rounds in which no sender uses a MsgId twice, as two pairs of them do."""
    validator = Validator(Catalogue.load())
    made: list[Round] = []
    for path in sorted(path for standard in STANDARDS for path in (FOLDER / standard).rglob("*.xml")):
        content = path.read_bytes()
        verdict = validator.judge(content)
        assert verdict.accepted is (path.name not in REFUSED), (path, verdict.faults)
        if verdict.accepted and verdict.envelope is not None:
            _put(made, path, content, verdict.envelope)
    assert sum(map(len, made)) == 83
    return made


def _put(made: list[Round], path: Path, content: bytes, envelope: Envelope) -> None:
    key = (envelope.sender.her_id, envelope.msg_id)
    for one in made:
        if key not in {(other.sender.her_id, other.msg_id) for _, other in one.values()}:
            one[path] = (content, envelope)
            return
    made.append({path: (content, envelope)})


async def plain(api: Api, content: bytes, _envelope: Envelope) -> tuple[Response, bytes]:
    client = await api.of("everybody")
    posted = await client.post("/documents", content=content, headers={"Content-Type": "application/xml"})
    came_back = await client.get(f"/documents/{posted.json()['id']}")
    return posted, came_back.content


async def version_2(api: Api, content: bytes, _envelope: Envelope) -> tuple[Response, bytes]:
    client = await api.of("everybody", "2")
    posted = await client.post("/Messages", json=_in_base64(content))
    came_back = await client.get(f"/Messages/{posted.json()}/business-document")
    return posted, base64.b64decode(came_back.json()["businessDocument"])


async def version_3(api: Api, content: bytes, envelope: Envelope) -> tuple[Response, bytes]:
    client = await api.of("everybody", "3")
    beside = {
        "senderHerId": envelope.sender.her_id,
        "receiverHerIds": [receiver.address.her_id for receiver in envelope.receivers],
        "messageTypeIdentificator": envelope.type,
        "applicationName": "Test EPJ",
        "applicationVersion": "1.0",
    }
    posted = await client.post("/messages", json=_in_base64(content) | beside)
    came_back = await client.get(f"/messages/{posted.json()['id']}/business-document")
    return posted, base64.b64decode(came_back.json()["businessDocument"])


def _in_base64(content: bytes) -> dict[str, str]:
    document = base64.b64encode(content).decode()
    return {"businessDocument": document, "contentType": "application/xml", "contentTransferEncoding": "base64"}


Door = Callable[[Api, bytes, Envelope], Awaitable[tuple[Response, bytes]]]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize(("door", "answer"), [(plain, 202), (version_2, 201), (version_3, 202)])
async def test_each_example_comes_out_as_it_went_in(
    databases: Databases, tmp_path: Path, rounds: list[Round], *, door: Door, answer: int, database: str
) -> None:
    for one in rounds:
        url = await getattr(databases, database)()
        settings = Settings(database_url=url, key_file=tmp_path / "key", **UNHURRIED)
        async with world(settings, SetClock()) as opened, AsyncExitStack() as stack:
            api = Api(opened, application(opened), stack)
            await _register(api, [envelope for _, envelope in one.values()])
            for path, (content, envelope) in one.items():
                posted, came_back = await door(api, content, envelope)
                assert posted.status_code == answer, (path, posted.text)
                assert came_back == content, path
        await databases.drop(url)


async def _register(api: Api, envelopes: list[Envelope]) -> None:
    """Make every party that the examples name known, and one client that speaks for all of them."""
    exchange = api.world.exchange
    named = {envelope.sender.her_id for envelope in envelopes}
    named |= {receiver.address.her_id for envelope in envelopes for receiver in envelope.receivers}
    her_ids = frozenset(her_id for her_id in named if her_id is not None)
    await clients.register_parties(exchange, [Party(her_id, f"Party {her_id}") for her_id in her_ids], actor="test")
    everybody = Client("everybody", "everybody", her_ids=her_ids)
    api.world.keys["everybody"] = await clients.register_client(exchange, everybody, actor="test")
