"""The terminal: what an operator types and reads, on both databases."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import fixtures
from messaging import __version__
from messaging.app import open_exchange
from messaging.cli import app
from messaging.errors import CallerError, ConfigurationError
from messaging.flow import receive, work
from messaging.flow.authenticate import authenticate
from messaging.flow.receive import Handed
from messaging.model.credentials import Credentials
from messaging.settings import load

runner = CliRunner()
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")


@pytest.fixture
def configured(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAMHANDLING_DATABASE_URL", database_url)
    monkeypatch.setenv("SAMHANDLING_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SAMHANDLING_DISK_RESERVE_BYTES", "0")
    with fixtures.PARTIES.open("rb") as file:
        (tmp_path / "parties.toml").write_bytes(file.read())
    return tmp_path


def run(*words: str) -> str:
    done = runner.invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--format", "json"))


def send_one(content: bytes = ADMITTED) -> str:
    async def act() -> str:
        async with open_exchange(load()) as exchange, work.running(exchange, deliver=False):
            sykehus = next(client for client in fixtures.clients() if client.name == "sykehus")
            return str((await receive.receive(exchange, sykehus, Handed(content, "test"))).message_id)

    return asyncio.run(act())


def test_parties_and_clients_are_registered_listed_and_revoked(configured: Path) -> None:
    run("parties", "import", str(configured / "parties.toml"))
    run("parties", "import", str(configured / "parties.toml"))
    assert {row["her_id"] for row in run_json("parties", "list")} == {party.her_id for party in fixtures.parties()}
    key = run("clients", "add", "ward", "--her-id", "8100001").strip()

    async def who() -> str:
        async with open_exchange(load()) as exchange:
            carried = Credentials(exchange.clock(), authorization=(f"Bearer {key}",))
            return (await authenticate(exchange, carried)).id

    assert asyncio.run(who()) == "ward"
    assert run_json("clients", "list") == [{"id": "ward", "role": "party", "her_ids": "8100001"}]
    assert run("clients", "revoke", "ward").startswith("1 keys of ward are revoked")
    with pytest.raises(CallerError):
        asyncio.run(who())


def test_a_message_is_listed_shown_and_followed_in_the_audit_log(configured: Path) -> None:
    run("parties", "import", str(configured / "parties.toml"))
    message_id = send_one()
    assert [row["id"] for row in run_json("messages", "list", "--party", "8110001", "--state", "waiting")] == [
        message_id
    ]
    assert run_json("messages", "list", "--type", "LOG_DOD") == []
    shown = run_json("messages", "show", message_id)
    assert [line["event"] for line in shown["timeline"]] == ["message.received", "delivery.created"]
    assert run_json("audit", "show", "--message", message_id) == shown["timeline"]
    assert message_id in run("messages", "list")
    assert "8110001" in run("messages", "show", message_id)
    assert "message.received" in run("audit", "show")


def test_a_stay_is_shown_in_order_with_what_awaits_whom(configured: Path) -> None:
    run("parties", "import", str(configured / "parties.toml"))
    cancellation = send_one(fixtures.read("valid/plo/1.6/log_innlagt_c.xml"))
    original = send_one()
    shown = run_json("conversations", "show", original)
    assert [message["id"] for message in shown["messages"]] == [original, cancellation]
    assert [message["superseded_by"] for message in shown["messages"]] == [cancellation, None]
    assert shown["complete"] is True
    words = run("conversations", "show", shown["messages"][0]["conversation_id"])
    assert words.index(original) < words.rindex(cancellation)
    assert "superseded" in words
    assert run_json("messages", "show", original)["message"]["superseded_by"] == cancellation
    with pytest.raises(CallerError):
        run("conversations", "show", "nonsense")


def test_what_lacks_an_apprec_is_listed_apart(configured: Path) -> None:
    run("parties", "import", str(configured / "parties.toml"))
    message_id = send_one()
    assert [row["id"] for row in run_json("messages", "list", "--overdue")] == [message_id]
    delivery = run_json("messages", "show", message_id)["deliveries"][0]["id"]
    run("messages", "close", delivery, "--note", "told by telephone")
    assert run_json("messages", "list", "--overdue") == []


def test_a_delivery_is_closed_with_a_reason_that_stands_in_the_timeline(configured: Path) -> None:
    run("parties", "import", str(configured / "parties.toml"))
    message_id = send_one()
    delivery = run_json("messages", "show", message_id)["deliveries"][0]["id"]
    run("messages", "close", delivery, "--note", "told by telephone")
    shown = run_json("messages", "show", message_id)
    assert shown["deliveries"][0]["state"] == "closed"
    assert shown["timeline"][-1]["detail"]["note"] == "told by telephone"
    with pytest.raises(CallerError):
        run("messages", "resend", delivery, "--note", "again")


def test_what_cannot_be_done_is_told_in_words(configured: Path) -> None:
    (configured / "broken.toml").write_text("[[party]]\nher_id = 1\nkolour = 2\n")
    for words in (
        ["messages", "show", "nonsense"],
        ["messages", "show", "5f5e94d5-d908-476b-a172-a241c52eddb6"],
        ["clients", "add", "x", "--her-id", "99"],
        ["clients", "add", "x"],
        ["parties", "import", str(configured / "none.toml")],
        ["parties", "import", str(configured / "broken.toml")],
    ):
        with pytest.raises(CallerError):
            run(*words)


def test_check_says_what_stands_in_the_way_of_a_start(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "in order" in run("check")
    monkeypatch.setenv("SAMHANDLING_ROUTES", '[{"her_id": 1, "to": "nowhere"}]')
    with pytest.raises(ConfigurationError, match="nowhere"):
        run("check")
    assert configured


@pytest.mark.parametrize(("names", "code"), [(["valid"], 0), (["invalid"], 1), (["nothing"], 2)])
def test_validate_tells_by_its_exit_code(names: list[str], code: int) -> None:
    folder = str(Path(fixtures.__file__).parent)
    done = runner.invoke(app, ["validate", *(f"{folder}/{name}" for name in names)])
    assert done.exit_code == code


def test_validate_prints_one_verdict_a_line_for_scripts() -> None:
    folder = Path(fixtures.__file__).parent
    done = runner.invoke(
        app, ["validate", "--format", "jsonl", str(folder / "invalid" / "T02"), str(folder / "valid/apprec")]
    )
    rows = [json.loads(line) for line in done.output.splitlines()]
    assert {row["verdict"] for row in rows if "T02" in row["file"]} == {"rejected"}
    assert {row["verdict"] for row in rows if "apprec" in row["file"]} == {"accepted"}
    told = {"code", "text", "line", "path", "column", "rule", "severity", "source"}
    assert all(set(fault) == told for row in rows for fault in row["faults"])
    accepted = next(row for row in rows if row["verdict"] == "accepted")
    assert set(accepted["document"]) == {"type", "version", "msg_id", "sender", "receivers"}


def test_the_module_is_the_command_and_errors_reach_the_shell(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "messaging", "version"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == __version__
    refused = subprocess.run(
        [sys.executable, "-m", "messaging", "check"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"SAMHANDLING_COLOUR": "red"},
    )
    assert (refused.returncode, "SAMHANDLING_COLOUR" in refused.stderr) == (2, True)
    assert "Traceback" not in refused.stderr


def test_validate_tells_warnings_and_refuses_nothing_for_them() -> None:
    warned = Path(fixtures.__file__).parent / "warned" / "trailing-blanks"
    done = runner.invoke(app, ["validate", str(warned)])
    assert done.exit_code == 0
    assert "remark.xml: accepted" in done.output
    assert "warning: trailing-blanks: The text ends in blanks" in done.output
    assert "[HISD 1165]" in done.output
    done = runner.invoke(app, ["validate", "--lang", "no", "--format", "json", str(warned)])
    (row,) = json.loads(done.output)
    (warning,) = row["warnings"]
    assert (warning["code"], warning["severity"], warning["rule"]) == ("trailing-blanks", "warn", "trailing-blanks")
    assert warning["text"].startswith("Teksten slutter med blanke")


def test_validate_speaks_norwegian_when_asked() -> None:
    folder = Path(fixtures.__file__).parent / "invalid"
    done = runner.invoke(app, ["validate", "--lang", "no", str(folder / "T01/empty.xml"), str(folder / "E36")])
    assert done.exit_code == 1
    assert "empty.xml: avvist\n  T01: Dokumentet er tomt." in done.output
    assert "E36: Pasienten er ikke tilstrekkelig identifisert" in done.output


def test_validate_judges_by_the_operators_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    document = str(Path(fixtures.__file__).parent / "invalid/E21/receiver_on_one_level_only.xml")
    assert runner.invoke(app, ["validate", document]).exit_code == 1
    monkeypatch.setenv("SAMHANDLING_RULES", '[{"rule": "two-levels", "severity": "warn"}]')
    done = runner.invoke(app, ["validate", document])
    assert done.exit_code == 0
    assert "warning: two-levels" in done.output
