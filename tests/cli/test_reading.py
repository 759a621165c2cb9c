"""Reading a message at the terminal: in words, with a reason, and never without a line in the audit log."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner

import fixtures
from messaging.app import open_exchange
from messaging.cli import app
from messaging.errors import Forbidden, InvalidRequest, NotFound
from messaging.flow import clients, inspect, receive, work
from messaging.flow.receive import Handed
from messaging.model.access import Role
from messaging.model.party import Client
from messaging.settings import load
from world import World

runner = CliRunner()
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
OPERATOR = Client(id="cli:kari", name="terminal", role=Role.OPERATOR)


@pytest.fixture
def message_id(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A message that was taken in, in the database that the settings of the environment name."""
    monkeypatch.setenv("SAMHANDLING_DATABASE_URL", database_url)
    monkeypatch.setenv("SAMHANDLING_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SAMHANDLING_DISK_RESERVE_BYTES", "0")

    async def act() -> str:
        async with open_exchange(load()) as exchange, work.running(exchange, deliver=False):
            await clients.register_parties(exchange, fixtures.parties(), actor="test")
            sykehus = next(client for client in fixtures.clients() if client.name == "sykehus")
            return str((await receive.receive(exchange, sykehus, Handed(ADMITTED, "test"))).message_id)

    return asyncio.run(act())


def run(*words: str, exit_code: int = 0) -> str:
    done = runner.invoke(app, list(words))
    assert done.exit_code == exit_code, done.output
    return done.output


def test_a_message_is_printed_as_one_reads_it_and_the_reading_is_recorded(message_id: str) -> None:
    printed = run("messages", "read", message_id, "--reason", "The ward says it got the wrong patient")
    assert printed.startswith("Melding om innlagt pasient\n")
    assert "Pasient innlagt: 3. mars 2025 kl. 08.40" in printed
    lines: list[dict[str, Any]] = json.loads(run("audit", "show", "--message", message_id, "--format", "json"))
    read = [line for line in lines if line["event"] == "document.read"]
    assert [line["detail"] for line in read] == [
        {"reason": "The ward says it got the wrong patient", "door": "terminal", "role": "admin", "parties": []}
    ]
    assert read[0]["actor"].startswith("cli:")


def test_a_reason_must_be_given(message_id: str) -> None:
    assert "--reason" in run("messages", "read", message_id, exit_code=2)


async def readings(world: World, message_id: UUID) -> int:
    timeline = (await inspect.story(world.exchange, OPERATOR, message_id)).timeline
    return sum(line["event"] == "document.read" for line in timeline)


async def test_what_is_refused_gives_no_document_and_leaves_no_line(running: World) -> None:
    exchange, sykehus = running.exchange, running.clients["sykehus"]
    taken = await receive.receive(exchange, sykehus, Handed(ADMITTED, "test"))
    with pytest.raises(InvalidRequest):
        await inspect.read_for_operator(exchange, OPERATOR, taken.message_id, reason="  ", door="terminal")
    with pytest.raises(Forbidden):
        await inspect.read_for_operator(exchange, sykehus, taken.message_id, reason="curious", door="terminal")
    with pytest.raises(NotFound):
        await inspect.read_for_operator(exchange, OPERATOR, uuid4(), reason="lost", door="terminal")
    assert await readings(running, taken.message_id) == 0


async def test_an_operator_gets_the_bytes_as_they_came(running: World) -> None:
    taken = await receive.receive(running.exchange, running.clients["sykehus"], Handed(ADMITTED, "test"))
    given = await inspect.read_for_operator(
        running.exchange, OPERATOR, taken.message_id, reason="an incident", door="terminal"
    )
    assert given == ADMITTED
    assert await readings(running, taken.message_id) == 1
