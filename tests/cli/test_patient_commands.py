"""Patients at the terminal: the number is typed or piped in, and stands in no argument."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

import fixtures
from messaging.app import open_exchange
from messaging.cli import app
from messaging.errors import InvalidRequest
from messaging.flow import clients, receive, work
from messaging.flow.receive import Handed
from messaging.model.sight import EVERYTHING
from messaging.settings import load
from messaging.store import tables as t

runner = CliRunner()
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
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
