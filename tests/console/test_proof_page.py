"""The proof of a message is shown and given; the trail as a file tells all that happened, nothing of the patient."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from test_pages import ADMITTED, NURSING, sent

from doors import Api
from log_keeper import Keeper
from messaging.flow import proven
from messaging.flow.prove import prove
from messaging.model.sight import EVERYTHING
from messaging.store import audit
from messaging.store.audit import Line
from world import World, owning

PATIENT = "05073500186"


@pytest.fixture
async def sealed(api: Api) -> tuple[Api, str]:
    """A message whose lines are sealed."""
    message_id = await sent(api)
    await Keeper(api.world.exchange, api.world.clock).seal()
    return api, message_id


def key_of(world: World) -> bytes:
    assert world.exchange.audit_key is not None
    return world.exchange.audit_key.public


async def proof_of(api: Api, message_id: str) -> dict[str, Any]:
    return await prove(api.world.exchange, api.world.clients["operator"], UUID(message_id))


async def test_a_message_is_proved_on_its_page_and_the_file_proves_it_elsewhere(sealed: tuple[Api, str]) -> None:
    api, message_id = sealed
    operator = await api.of("operator")
    page = await operator.get(f"/console/messages/{message_id}/proof")
    assert page.status_code == 200
    assert "Bekreftet." in page.text
    assert "Meldingen er mottatt og lagret" in page.text
    file = await operator.get(f"/console/messages/{message_id}/proof.json")
    assert file.headers["Content-Disposition"] == f'attachment; filename="proof-{message_id}.json"'
    found = proven.check(file.json(), key_of(api.world))
    assert found.is_whole
    assert len(found.lines) >= 2


async def test_a_line_that_was_changed_is_named(sealed: tuple[Api, str]) -> None:
    api, message_id = sealed
    proof = await proof_of(api, message_id)
    number = proof["lines"][0]["line"]["id"]
    async with owning(api.world.exchange.database) as database, database.write(EVERYTHING) as tx:
        if tx.is_postgresql:
            await tx.connection.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        else:
            await tx.connection.execute(text("DROP TRIGGER audit_refuses_update"))
        await tx.connection.execute(text("UPDATE audit SET actor = 'another' WHERE id = :id"), {"id": number})
    page = await (await api.of("operator")).get(f"/console/messages/{message_id}/proof")
    assert 'role="alert"' in page.text
    assert f"Linje {number} fører ikke til roten" in page.text
    assert "Bekreftet." not in page.text


async def test_a_seal_of_another_key_or_without_a_good_signature_proves_nothing(sealed: tuple[Api, str]) -> None:
    api, message_id = sealed
    proof = await proof_of(api, message_id)
    number = proof["seals"][0]["number"]
    assert proven.check(proof, bytes(32)).foreign == (number,)
    assert not proven.check(proof, None).is_whole
    forged = json.loads(json.dumps(proof))
    forged["seals"][0]["signature"] = "00" * 64
    assert proven.check(forged, key_of(api.world)).unsigned == (number,)
    moved = {**proof, "message_id": "00000000-0000-4000-8000-000000000000"}
    assert proven.check(moved, key_of(api.world)).lines == ()


async def test_only_who_audits_gets_a_proof(sealed: tuple[Api, str]) -> None:
    api, message_id = sealed
    for name in ("proof", "proof.json"):
        for client in ("sykehus", "kommune", "lege"):
            answer = await (await api.of(client)).get(f"/console/messages/{message_id}/{name}")
            assert answer.status_code == 403, client
        assert (await (await api.of(None)).get(f"/console/messages/{message_id}/{name}")).status_code == 303
    unknown = "/console/messages/00000000-0000-4000-8000-000000000000/proof"
    assert (await (await api.of("operator")).get(unknown)).status_code == 404
    assert "/proof" not in (await (await api.of("kommune")).get(f"/console/messages/{message_id}")).text


async def test_the_trail_is_one_file_for_both_sides_without_document_or_patient(api: Api) -> None:
    message_id = await sent(api)
    kommune = await api.of("kommune", "3")
    words = "Pasienten Kari er ukjent"
    errors = [{"errorCode": "E36", "details": words}]
    said = {"appRecSenderHerId": NURSING, "appRecStatus": "Rejected", "appRecErrorList": errors}
    said |= {"applicationName": "EPJ", "applicationVersion": "1"}
    assert (await kommune.post(f"/messages/{message_id}/apprec", json=said)).status_code == 202
    note = {"note": f"gjelder {PATIENT}<script>alert(1)</script>"}
    async with api.world.exchange.database.write(EVERYTHING) as tx:
        line = Line(api.world.clock(), "delivery.handled", "test", UUID(message_id), her_id=NURSING, detail=note)
        await audit.write(tx, line)
    for client in ("operator", "sykehus", "kommune"):
        file = await (await api.of(client)).get(f"/console/messages/{message_id}/trail.html")
        assert file.status_code == 200
        assert file.headers["Content-Disposition"] == f'attachment; filename="trail-{message_id}.html"'
        assert "sandbox" in file.headers["Content-Security-Policy"]
        for told in ("Negativ kvittering", "E36", message_id, "(nummer utelatt)", "Sykepleietjenesten"):
            assert told in file.text, told
        for untold in (PATIENT, words, "<script", 'http-equiv="refresh', "src="):
            assert untold not in file.text, untold
    assert PATIENT.encode() in ADMITTED, "the document names the patient"
    lege = await api.of("lege")
    assert (await lege.get(f"/console/messages/{message_id}/trail.html")).status_code == 404
