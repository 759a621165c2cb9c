"""The whole way of a message without MsgHead: in by the plain door, fetched, answered, and settled."""

from __future__ import annotations

import pytest
from lxml import etree

import fixtures
from doors import Api

GP, GERIATRICS, NURSING = 8120001, 8100003, 8110001
MIG_VERSIONS = {"1.0": "1.0 2004-11-21", "1.1": "v1.1 2012-02-15"}


@pytest.mark.parametrize(
    ("name", "type_code", "sender", "receiver", "version", "role"),
    [
        ("epikrise/1.2/epikrise_n", "EPIKRISE", ("sykehus", GERIATRICS), ("lege", GP), "1.1", "PRIM"),
        ("epikrise/1.1/epikrise_n", "E", ("sykehus", GERIATRICS), ("lege", GP), "1.0", "REQ"),
        ("henvisning/1.1/henvisning_n", "HENVISNING", ("lege", GP), ("sykehus", GERIATRICS), "1.1", "PRIM"),
        ("henvisning/1.0/henvisning_n", "H", ("lege", GP), ("sykehus", GERIATRICS), "1.0", "SPR"),
    ],
)
async def test_it_is_kept_fetched_and_answered(
    api: Api,
    *,
    name: str,
    type_code: str,
    sender: tuple[str, int],
    receiver: tuple[str, int],
    version: str,
    role: str,
) -> None:
    content = fixtures.read(f"valid/{name}.xml")
    posted = await (await api.of(sender[0])).post(
        "/documents", content=content, headers={"Content-Type": "application/xml"}
    )
    assert posted.status_code == 202, posted.text
    kept = posted.json()
    assert (kept["type"], kept["sender"], kept["receivers"]) == (type_code, sender[1], [receiver[1], NURSING])

    for client in (receiver[0], "kommune"):
        assert (await (await api.of(client)).get(f"/documents/{kept['id']}")).content == content

    answers = {"appRecSenderHerId": receiver[1], "appRecStatus": "Ok", "appRecErrorList": []}
    software = {"applicationName": "Test EPJ", "applicationVersion": "1.0"}
    answered = await (await api.of(receiver[0], "3")).post(f"/messages/{kept['id']}/apprec", json=answers | software)
    assert answered.status_code == 202, answered.text

    status = await (await api.of(sender[0], "3")).get(f"/messages/{kept['id']}/status")
    rows = {row["receiverHerId"]: row for row in status.json()["statusList"]}
    assert rows[receiver[1]]["apprecInfo"]["appRecStatus"] == "Ok"
    assert rows[NURSING]["apprecInfo"] is None

    receipt = await (await api.of(sender[0])).get(f"/documents/{answered.json()['id']}")
    root = etree.fromstring(receipt.content)
    assert root.findtext("{*}MIGversion") == MIG_VERSIONS[version]
    assert [found.get("V") for found in root.iterfind("{*}Sender/{*}Role")] == [role]
