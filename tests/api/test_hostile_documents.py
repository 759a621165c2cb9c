"""The whole collection of attacks at both doors that bytes come in by: over HTTP, and as files in a folder."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from attacks import ABSENT, EITHER, MANIFEST, READ, UNREADABLE, Attack, attacks
from lxml import etree

from adapters.file_drop import KIND, FileDrop
from adapters.file_drop import Settings as Folder
from doors import Api, application, forget
from messaging.api.documents import _as_xml
from messaging.api.shapes import Links, ProblemFault, ReceiptTold
from messaging.flow.work import submit_to
from messaging.settings import Settings
from messaging.spi import Submit
from world import UNHURRIED, Databases, SetClock, world

pytestmark = [
    pytest.mark.skipif(not MANIFEST.exists(), reason=ABSENT),
    pytest.mark.asyncio(loop_scope="module"),
]

SECONDS = 2.0
"""A refusal takes some milliseconds (benchmarks/refusals.py); this is for a machine that does much else."""
WARD = 8100001


@contextmanager
def soon() -> Iterator[None]:
    """Fail when what is done takes long; picking up what other tests have left is not counted."""
    gc.disable()
    begun = time.process_time()
    try:
        yield
        assert time.process_time() - begun < SECONDS
    finally:
        gc.enable()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """One exchange for the whole collection; what judges documents does not know the database."""
    key = tmp_path_factory.mktemp("hostile") / "key"
    settings = Settings(database_url=await databases.sqlite(), key_file=key, **UNHURRIED)
    async with world(settings, SetClock()) as running, AsyncExitStack() as stack:
        app = application(running)
        yield Api(running, app, stack)
        forget(app)


@pytest.fixture
def submit(door: Api) -> Submit:
    """The way in for a folder that speaks for the hospital."""
    return submit_to(replace(door.world.exchange, speaks_for={"folder": frozenset({WARD})}), "folder")


@pytest.mark.parametrize("attack", attacks(), ids=lambda attack: attack.id)
async def test_an_attack_over_http_gets_the_expected_answer(attack: Attack, door: Api) -> None:
    client = await door.of("sykehus")
    headers = {"Content-Type": "application/xml"}
    if attack.category == "compression":
        headers["Content-Encoding"] = "deflate" if "deflate" in attack.id else "gzip"
    with soon():
        answer = await client.post("/documents", content=attack.content, headers=headers)
    if attack.category == "compression":
        assert answer.status_code == 415
        return
    assert answer.status_code == 400, answer.text
    codes = {fault["code"] for fault in answer.json()["faults"]}
    assert codes
    assert attack.expected == EITHER or (codes == {"T01"}) is (attack.expected == UNREADABLE)
    assert "Testsykehuset" not in answer.text
    assert "/etc/" not in answer.text


@pytest.mark.parametrize("attack", attacks(), ids=lambda attack: attack.id)
async def test_an_attack_in_a_folder_gets_the_expected_answer(attack: Attack, submit: Submit, tmp_path: Path) -> None:
    async with KIND.open("folder", Folder(folder=tmp_path, quiet_seconds=0)) as adapter:
        assert isinstance(adapter, FileDrop)
        (tmp_path / "in" / "attack.xml").write_bytes(attack.content)
        with soon():
            await adapter.sweep(submit)
    if not attack.content:
        assert [path.name for path in (tmp_path / "in").iterdir()] == ["attack.xml"]  # an empty file is not there yet
        return
    assert [path.name for path in (tmp_path / "accepted").iterdir()] == []
    told = json.loads((tmp_path / "rejected" / "attack.xml.faults.json").read_text())
    codes = {fault["code"] for fault in told["faults"]}
    assert codes
    assert attack.expected == EITHER or (codes == {"T01"}) is (attack.expected == UNREADABLE)
    assert (tmp_path / "rejected" / "attack.xml").read_bytes() == attack.content


DEEP = 100_000
ENVELOPES = {
    "arrays": b"[" * DEEP + b"]" * DEEP,
    "objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "receivers": b'{"receiverHerIds": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "digits": b'{"senderHerId": ' + b"9" * DEEP + b"}",
    "exponent": b'{"senderHerId": 1e999999999}',
    "not a number": b'{"senderHerId": NaN}',
    "no end": b'{"businessDocument": "' + b"A" * DEEP,
    "half a pair": b'{"businessDocument": "\\ud800"}',
    "no text": b'{"businessDocument": "\xff\xfe"}',
    "many keys": b"{" + b",".join(b'"k%d": 1' % one for one in range(20_000)) + b"}",
    "many faults": b'{"receiverHerIds": [' + b",".join(b'"x"' for _ in range(20_000)) + b"]}",
}


@pytest.mark.parametrize("body", ENVELOPES.values(), ids=ENVELOPES)
async def test_a5_a_hostile_envelope_of_json_is_refused_soon_and_shortly(body: bytes, door: Api) -> None:
    client = await door.of("sykehus", "3")
    with soon():
        answer = await client.post("/messages", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert len(answer.content) < 50_000


async def test_a13_a_receipt_in_xml_is_text_and_nothing_else() -> None:
    links = Links(document="/documents/1", message="/operations/messages/1")
    warning = ProblemFault(code="<&'\"", text="</receipt><evil/>", line=1, path=None)
    told = ReceiptTold(
        id=uuid4(),
        msg_id="]]><evil a='&b;'/>",
        type='"><evil/>',
        sender=1,
        receivers=[2],
        received_at=datetime(2026, 3, 9, tzinfo=UTC),
        warnings=[warning],
        links=links,
    )
    root = etree.fromstring(_as_xml(told).encode())
    assert root.findtext("msgId") == told.msg_id
    assert root.findtext("type") == told.type
    assert root.findtext("warning") == warning.text
    assert [*root.iter("evil")] == []


async def test_the_collection_has_every_kind_of_answer() -> None:
    assert {attack.expected for attack in attacks()} == {UNREADABLE, READ, EITHER}
    assert len(attacks()) > 300
