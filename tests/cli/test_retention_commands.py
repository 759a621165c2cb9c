"""What is kept whose time is over, and legal holds, at the terminal, on both databases."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner

import fixtures
from messaging.app import open_exchange
from messaging.cli import app
from messaging.errors import InvalidRequest, NotFound
from messaging.flow import acknowledge, clients, receive, work
from messaging.flow.acknowledge import Answer
from messaging.flow.receive import Handed
from messaging.model.clock import system_clock
from messaging.model.receipt import ReceiptStatus
from messaging.settings import load
from world import SetClock

runner = CliRunner()
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
COMMANDS = ("plan", "run", "hold", "release", "holds")


@pytest.fixture
def message_id(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A message that was answered 40 days ago, in the exchange that the commands open; metadata is kept for 35."""
    monkeypatch.setenv("SAMHANDLING_DATABASE_URL", database_url)
    monkeypatch.setenv("SAMHANDLING_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SAMHANDLING_DISK_RESERVE_BYTES", "0")

    async def act() -> str:
        clock = SetClock(system_clock() - timedelta(days=40))
        async with open_exchange(load(), clock=clock) as exchange, work.running(exchange, deliver=False):
            await clients.register_parties(exchange, fixtures.parties(), actor="test")
            known = {client.name: client for client in fixtures.clients()}
            taken = await receive.receive(exchange, known["sykehus"], Handed(ADMITTED, "test"))
            said = Answer(8110001, ReceiptStatus.OK)
            await acknowledge.acknowledge(exchange, known["kommune"], taken.message_id, said, door="test")
            return str(taken.message_id)

    return asyncio.run(act())


def run(*words: str, code: int = 0) -> str:
    done = runner.invoke(app, ["retention", *words], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_it_does(command: str) -> None:
    assert f"retention {command}" in run(command, "--help")
    assert command in run("--help")


def test_documents_are_told_before_they_go_and_messages_stay_for_their_own_time(message_id: str) -> None:
    planned = run("plan")
    assert "2 documents would be destroyed" in planned
    assert "0 messages would be reduced" in planned
    assert run("plan") == planned, "a plan changes nothing"
    done = run("run")
    assert done == planned.replace("would be destroyed", "destroyed").replace("would be reduced", "reduced")
    assert "APPREC: 1" in done
    assert "0 documents would be destroyed, 0 bytes; 0 are held." in run("plan")
    told = runner.invoke(app, ["messages", "show", message_id]).output
    assert "retention.document_destroyed" in told


def test_documents_and_metadata_go_in_one_run_as_they_were_planned(
    message_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMHANDLING_METADATA_KEPT_DAYS", "35")
    planned = run("plan")
    assert "2 documents would be destroyed" in planned
    assert "2 messages would be reduced to what answers a repetition" in planned
    assert run("run") == planned.replace("would be destroyed", "destroyed").replace("would be reduced", "reduced")
    with pytest.raises(NotFound):
        runner.invoke(app, ["messages", "show", message_id], catch_exceptions=False)
    assert "retention.message_reduced" in runner.invoke(app, ["audit", "show"]).output


def test_a_hold_keeps_what_it_covers_is_listed_and_is_released_once(
    message_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMHANDLING_METADATA_KEPT_DAYS", "35")
    words = ("hold", "party", "8110001", "--review", "2099-01-31", "--reason", "a complaint")
    hold = run(*words).removeprefix("Held: ").strip()
    assert UUID(hold)
    assert "0 documents destroyed, 0 bytes; 2 are held." in run("run")
    assert "2 are held." in run("run").splitlines()[-1]
    assert "a complaint" in run("holds")
    (listed,) = json.loads(run("holds", "--format", "json"))
    assert (listed["id"], listed["scope"], listed["subject"]) == (hold, "party", "8110001")
    assert "Released." in run("release", hold, "--reason", "settled")
    assert json.loads(run("holds", "--format", "json")) == []
    (listed,) = json.loads(run("holds", "--all", "--format", "json"))
    assert listed["release_reason"] == "settled"
    with pytest.raises(NotFound, match="released already"):
        run("release", hold, "--reason", "again")
    assert "2 documents destroyed" in run("run")
    assert message_id not in runner.invoke(app, ["messages", "list"]).output


@pytest.mark.usefixtures("message_id")
def test_what_cannot_be_held_or_released_is_refused_in_words() -> None:
    good = {"scope": "party", "subject": "8110001", "review": "2099-01-31", "reason": "a complaint"}
    for wrong, words in (
        ({"subject": "the ward"}, "names no party"),
        ({"scope": "message", "subject": "1"}, "names no message"),
        ({"scope": "conversation", "subject": " "}, "names no conversation"),
        ({"reason": " "}, "Say why"),
        ({"review": "2020-01-31"}, "in the future"),
    ):
        asked = {**good, **wrong}
        with pytest.raises(InvalidRequest, match=words):
            run("hold", asked["scope"], asked["subject"], "--review", asked["review"], "--reason", asked["reason"])
    for scope, review in (("patient", "2099-01-31"), ("party", "soon")):
        run("hold", scope, "8110001", "--review", review, "--reason", "a complaint", code=2)
    with pytest.raises(InvalidRequest, match="no id"):
        run("release", "1", "--reason", "settled")
    with pytest.raises(NotFound, match="no such hold"):
        run("release", str(uuid4()), "--reason", "settled")
    assert json.loads(run("holds", "--format", "json")) == []
