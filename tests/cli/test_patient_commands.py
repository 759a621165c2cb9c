"""Patients at the terminal: the number is typed or piped in, and stands in no argument."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar
from uuid import UUID, uuid4
from zipfile import ZipFile

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

import fixtures
from messaging.app import open_exchange
from messaging.cli import app
from messaging.errors import CallerError, Conflict, InvalidRequest, Refused
from messaging.flow import acknowledge, clients, receive, work
from messaging.flow.acknowledge import Answer
from messaging.flow.exchange import Exchange
from messaging.flow.receive import Handed
from messaging.flow.seal import Sealer
from messaging.model.receipt import ReceiptStatus
from messaging.model.sight import EVERYTHING
from messaging.settings import load
from messaging.store import audit
from messaging.store import tables as t

runner = CliRunner()
SCRIPT = Path(__file__).parents[2] / "deploy" / "verify_audit.py"
Result = TypeVar("Result")
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
UNKNOWN = fixtures.read("invalid/E21/receiver_unknown.xml")
PATIENT = "05073500186"


@pytest.fixture
def message_id(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A message about the patient, taken in by the exchange that the commands open."""
    monkeypatch.setenv("SAMHANDLING_DATABASE_URL", database_url)
    monkeypatch.setenv("SAMHANDLING_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SAMHANDLING_DISK_RESERVE_BYTES", "0")

    async def act() -> str:
        async with open_exchange(load()) as exchange, work.running(exchange, deliver=False):
            await clients.register_parties(exchange, fixtures.parties(), actor="test")
            sykehus = next(client for client in fixtures.clients() if client.name == "sykehus")
            return str((await receive.receive(exchange, sykehus, Handed(ADMITTED, "test"))).message_id)

    return asyncio.run(act())


def with_exchange(act: Callable[[Exchange], Awaitable[Result]]) -> Result:
    async def opened() -> Result:
        async with open_exchange(load()) as exchange, work.running(exchange, deliver=False):
            return await act(exchange)

    return asyncio.run(opened())


def answered(*message_ids: str, new: int = 0) -> list[str]:
    """Let messages be answered by their receiver, new ones about the patient too; returns the ids of messages."""

    async def act(exchange: Exchange) -> list[str]:
        known = {client.name: client for client in fixtures.clients()}
        ids = [*message_ids]
        for _ in range(new):
            start = ADMITTED.index(b"MsgId>") + len(b"MsgId>")
            content = ADMITTED[:start] + str(uuid4()).encode() + ADMITTED[ADMITTED.index(b"<", start) :]
            ids.append(str((await receive.receive(exchange, known["sykehus"], Handed(content, "test"))).message_id))
        for one in ids:
            said = Answer(8110001, ReceiptStatus.OK)
            await acknowledge.acknowledge(exchange, known["kommune"], UUID(one), said, door="test")
        return ids

    return with_exchange(act)


def lines(event: str) -> list[dict[str, object]]:
    async def act(exchange: Exchange) -> list[dict[str, object]]:
        async with exchange.database.read(EVERYTHING) as tx:
            return await audit.recent(tx, limit=1000, event=event)

    return with_exchange(act)


def seal() -> None:
    async def act(exchange: Exchange) -> None:
        while await Sealer(exchange).seal():
            pass

    async def opened() -> None:
        async with open_exchange(load()) as exchange:
            await act(exchange)

    asyncio.run(opened())


def run(*words: str, typed: str = "", code: int = 0) -> str:
    done = runner.invoke(app, ["patient", *words], input=typed, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def test_a_patients_messages_are_found_by_a_number_that_is_piped_in(message_id: str) -> None:
    told = run("find", "--reason", "the patient asks", typed=f"{PATIENT}\n")
    assert message_id in told
    assert PATIENT not in told
    found = json.loads(run("find", "--reason", "asked", "--format", "json", typed=f"{PATIENT}\n"))
    assert [one["id"] for one in found["messages"]] == [message_id]
    assert "patient_hash" not in found["messages"][0]
    assert message_id not in run("find", "--reason", "asked", typed="11064700342\n")
    with pytest.raises(InvalidRequest, match="no national number"):
        run("find", "--reason", "asked", typed="somebody\n")


def test_older_messages_are_looked_into(message_id: str) -> None:
    async def forget() -> None:
        async with open_exchange(load()) as exchange, exchange.database.write(EVERYTHING) as tx:
            await tx.connection.execute(update(t.message).values(patient_hash=None))

    asyncio.run(forget())
    told = run("find", "--reason", "asked", typed=f"{PATIENT}\n")
    assert message_id not in told
    assert "1 older messages were not looked into" in told
    assert "1 messages looked into" in run("index")
    assert message_id in run("find", "--reason", "asked", typed=f"{PATIENT}\n")


def test_an_export_holds_each_document_and_its_trail_for_its_owner_alone(message_id: str, tmp_path: Path) -> None:
    answered(message_id)
    file = tmp_path / "patient.zip"
    told = run("export", str(file), "--reason", "the patient asks", typed=f"{PATIENT}\n")
    assert "2 messages about the patient and 0 refused documents written" in told
    assert PATIENT not in told
    assert file.stat().st_mode & 0o777 == 0o600
    with ZipFile(file) as archive:
        assert archive.testzip() is None
        index = json.loads(archive.read("messages.json"))
        assert archive.read(f"{message_id}/document.xml") == ADMITTED
        trail = json.loads(archive.read(f"{message_id}/trail.json"))
        names = set(archive.namelist())
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o600}
    ids = [row["id"] for row in index["messages"]]
    assert message_id in ids
    assert names == {"messages.json", *(f"{one}/{part}" for one in ids for part in ("document.xml", "trail.json"))}
    assert (index["reason"], index["not_looked_at"]) == ("the patient asks", 0)
    assert {"message.received", "delivery.acknowledged"} <= {line["event"] for line in trail["timeline"]}
    assert [line["detail"]["reason"] for line in trail["readers"] if line["event"] == "document.read"] == [
        "the patient asks"
    ]
    (line,) = lines("patient.exported")
    assert line["detail"] == {"door": "terminal", "role": "admin", "reason": "the patient asks", "messages": 2}
    with pytest.raises(InvalidRequest, match="there already"):
        run("export", str(file), "--reason", "again", typed=f"{PATIENT}\n")
    with pytest.raises(InvalidRequest, match="cannot be written"):
        run("export", str(tmp_path / "none" / "x.zip"), "--reason", "again", typed=f"{PATIENT}\n")


def test_an_export_tells_which_documents_it_lacks_and_one_that_fails_leaves_no_file(
    message_id: str, tmp_path: Path
) -> None:
    (gone,) = answered(new=1)
    run("erase", "--reason", "asked", "--yes", typed=f"{PATIENT}\n", code=1)
    (destroyed, damaged) = answered(new=2)

    async def spoil(exchange: Exchange) -> None:
        async with exchange.database.write(EVERYTHING) as tx:
            await tx.connection.execute(t.payload.delete().where(t.payload.c.message_id == UUID(destroyed)))
            spoilt = t.payload.c.message_id == UUID(damaged)
            await tx.connection.execute(update(t.payload).where(spoilt).values(content=b"x" * 60))

    with_exchange(spoil)
    told = run("export", str(tmp_path / "patient.zip"), "--reason", "asked", typed=f"{PATIENT}\n")
    assert f"which is destroyed: {destroyed}" in told
    assert f"which is damaged: {damaged}" in told
    with ZipFile(tmp_path / "patient.zip") as archive:
        rows = {row["id"]: row["document"] for row in json.loads(archive.read("messages.json"))["messages"]}
        names = archive.namelist()
    assert gone not in rows
    assert (rows[destroyed], rows[damaged]) == ("destroyed", "damaged")
    assert f"{damaged}/document.xml" not in names
    assert rows[message_id] == f"{message_id}/document.xml"
    with pytest.raises(InvalidRequest, match="no national number"):
        run("export", str(tmp_path / "other.zip"), "--reason", "asked", typed="somebody\n")
    assert not (tmp_path / "other.zip").exists()


def test_an_erasure_is_told_before_it_is_done_and_tells_what_stays_and_why(message_id: str) -> None:
    answered(new=1)
    told = run("erase", "--reason", "the patient asks", typed=f"{PATIENT}\n")
    assert "1 messages: 2 documents would be destroyed" in told
    assert "Nothing was changed. With --yes it is done." in told
    assert lines("patient.message_erased") == []
    told = run("erase", "--reason", "the patient asks", "--yes", typed=f"{PATIENT}\n", code=1)
    assert "1 messages: 2 documents destroyed" in told
    assert f"stays: {message_id}" in told
    assert "to 8110001 is waiting: let it end, or `samhandling messages close" in told
    assert PATIENT not in told
    answered(message_id)
    hold = runner.invoke(
        app, ["retention", "hold", "message", message_id, "--reason", "a complaint", "--review", "2099-01-31"]
    ).output.split()[-1]
    told = run("erase", "--reason", "again", "--yes", typed=f"{PATIENT}\n", code=1)
    assert f"held by {hold}: see `samhandling retention holds`" in told
    assert runner.invoke(app, ["retention", "release", hold, "--reason", "settled"]).exit_code == 0
    assert "stays" not in run("erase", "--reason", "again", "--yes", typed=f"{PATIENT}\n")
    assert message_id not in run("find", "--reason", "asked", typed=f"{PATIENT}\n")


def test_whoever_types_at_a_terminal_is_asked_before_anything_is_erased(
    message_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(message_id)
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("messaging.cli.patient.sys", terminal)
    told = run("erase", "--reason", "asked", typed=f"{PATIENT}\nn\n")
    assert "2 documents would be destroyed" in told
    assert "Nothing was changed." in told
    assert PATIENT not in told, "what is typed is not shown"
    assert "2 documents destroyed" in run("erase", "--reason", "asked", typed=f"{PATIENT}\ny\n")


def test_an_erasure_waits_until_older_messages_are_looked_into(message_id: str) -> None:
    async def forget(exchange: Exchange) -> None:
        async with exchange.database.write(EVERYTHING) as tx:
            await tx.connection.execute(update(t.message).values(patient_hash=None))

    answered(message_id)
    with_exchange(forget)
    with pytest.raises(Conflict, match="samhandling patient index"):
        run("erase", "--reason", "asked", "--yes", typed=f"{PATIENT}\n")
    run("index")
    assert "2 documents destroyed" in run("erase", "--reason", "asked", "--yes", typed=f"{PATIENT}\n")


def check(file: Path, *, code: int) -> str:
    """Check a proof as an auditor does: without site packages, and without this project."""
    key = runner.invoke(app, ["audit", "key"]).output.strip()
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-I", "-S", str(SCRIPT), str(file), "--key", key], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def erasures() -> list[str]:
    return [str(line["id"]) for line in lines("patient.erasure_begun")]


def test_the_proof_of_an_erasure_is_checked_elsewhere_and_no_message_can_be_put_into_it(
    message_id: str, tmp_path: Path
) -> None:
    answered(message_id)
    told = run("erase", "--reason", "asked", "--yes", typed=f"{PATIENT}\n")
    (number,) = erasures()
    assert f"samhandling patient proof {number} FILE" in told
    seal()
    file = tmp_path / "proof.json"
    assert "2 messages, 0 refused documents proved" in run("proof", number, str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert check(file, code=0).count("patient.message_erased") == 2
    proof = json.loads(file.read_text("utf-8"))
    assert message_id in proof["message_ids"]
    assert PATIENT not in file.read_text("utf-8")
    for change in (
        {"message_ids": [*proof["message_ids"], str(uuid4())]},
        {"message_ids": proof["message_ids"][:1]},
        {"erasure": int(number) + 1},
        {"lines": proof["lines"][:1]},
    ):
        file.write_text(json.dumps({**proof, **change}), encoding="utf-8")
        assert "not proved" in check(file, code=1), change
    for words in ((number, str(file)), ("1", str(tmp_path / "other.json"))):
        with pytest.raises(CallerError):
            run("proof", *words)


def refused() -> str:
    """Hand in a document about the patient that is refused; returns its id in the transport log."""

    async def act(exchange: Exchange) -> str:
        sykehus = next(client for client in fixtures.clients() if client.name == "sykehus")
        with pytest.raises(Refused) as told:
            await receive.receive(exchange, sykehus, Handed(UNKNOWN, "test"))
        return str(told.value.refusal_id)

    return with_exchange(act)


def test_a_refused_document_about_the_patient_is_exported_erased_and_proved(message_id: str, tmp_path: Path) -> None:
    answered(message_id)
    refusal_id = refused()
    told = run("export", str(tmp_path / "patient.zip"), "--reason", "asked", typed=f"{PATIENT}\n")
    assert "2 messages about the patient and 1 refused documents written" in told
    with ZipFile(tmp_path / "patient.zip") as archive:
        assert archive.read(f"refused/{refusal_id}/document.xml") == UNKNOWN
        assert json.loads(archive.read(f"refused/{refusal_id}/refusal.json"))["faults"]
        assert json.loads(archive.read("messages.json"))["refused"] == [refusal_id]
    read = [line["detail"] for line in lines("document.read")]
    assert [one["reason"] for one in read if one.get("refusal") == refusal_id] == ["asked"]
    assert "1 refused documents would be destroyed." in run("erase", "--reason", "asked", typed=f"{PATIENT}\n")
    hold = runner.invoke(
        app, ["retention", "hold", "party", "8100001", "--reason", "a complaint", "--review", "2099-01-31"]
    ).output.split()[-1]
    told = run("erase", "--reason", "asked", "--yes", typed=f"{PATIENT}\n", code=1)
    assert "0 refused documents destroyed; 1 are held" in told
    assert runner.invoke(app, ["retention", "release", hold, "--reason", "settled"]).exit_code == 0
    assert "1 refused documents destroyed." in run("erase", "--reason", "asked", "--yes", typed=f"{PATIENT}\n")
    seal()
    file = tmp_path / "proof.json"
    assert "2 messages, 1 refused documents proved" in run("proof", erasures()[-1], str(file))
    assert check(file, code=0).count("patient.refusal_erased") == 1
    proof = json.loads(file.read_text("utf-8"))
    for change in ({"refusal_ids": [str(uuid4())]}, {"refusal_ids": []}):
        file.write_text(json.dumps({**proof, **change}), encoding="utf-8")
        assert "not proved" in check(file, code=1), change


DYING = """
import os, signal, sys
from messaging.cli import main
from messaging.flow import erase
from messaging.store import patients

erase._AT_A_TIME, forget, left = 1, patients.forget, 3

async def dying(tx, message_ids):
    global left
    await forget(tx, message_ids)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

patients.forget = dying
sys.argv = ["samhandling", "patient", "erase", "--reason", "the patient asks", "--yes"]
main()
"""
"""The command, which is killed in its third transaction, when all of it is written and nothing committed."""


def test_an_erasure_that_is_killed_in_the_middle_is_completed_by_the_next_one(message_id: str, tmp_path: Path) -> None:
    every = answered(message_id, new=4)
    killed = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", DYING], input=f"{PATIENT}\n", capture_output=True, text=True, check=False, env=os.environ
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr

    async def documents(exchange: Exchange) -> int:
        async with exchange.database.read(EVERYTHING) as tx:
            return len(list(await tx.scalars(select(t.payload.c.message_id))))

    assert with_exchange(documents) == 6, "two of five messages went with their AppRecs, and the third stayed whole"
    assert "3 messages: 6 documents destroyed" in run("erase", "--reason", "again", "--yes", typed=f"{PATIENT}\n")
    assert with_exchange(documents) == 0
    assert "not looked into" not in run("find", "--reason", "asked", typed=f"{PATIENT}\n")
    assert len(lines("patient.message_erased")) == 10, "each is told once"
    assert len(lines("patient.erased")) == 1, "the one that was killed did not end"
    seal()
    proved: list[str] = []
    for number in erasures():
        file = tmp_path / f"{number}.json"
        run("proof", number, str(file))
        check(file, code=0)
        proved += json.loads(file.read_text("utf-8"))["message_ids"]
    assert len(proved) == 10
    assert set(every) <= set(proved)
