"""What an auditor is given: the check at the terminal, exports and proofs, and the script that checks elsewhere."""

from __future__ import annotations

import asyncio
import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from typer.testing import CliRunner

import fixtures
from log_keeper import Keeper
from messaging.app import open_exchange
from messaging.cli import app
from messaging.errors import CallerError, Conflict, InvalidRequest, NotFound
from messaging.flow import clients, receive, work
from messaging.flow.handed import Handed
from messaging.model.sight import EVERYTHING
from messaging.settings import load
from world import SetClock, owning

SCRIPT = Path(__file__).parents[2] / "deploy" / "verify_audit.py"
STAND_ALONE = runpy.run_path(str(SCRIPT))
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")

runner = CliRunner()


@pytest.fixture
def configured(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAMHANDLING_DATABASE_URL", database_url)
    monkeypatch.setenv("SAMHANDLING_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SAMHANDLING_DISK_RESERVE_BYTES", "0")
    return tmp_path


@pytest.fixture
def message_id(configured: Path) -> str:
    """A message that was taken in, sealed and anchored; other lines are sealed before and after it."""

    async def act() -> str:
        clock = SetClock()
        async with open_exchange(load(), clock=clock) as exchange, work.running(exchange, deliver=False):
            keeper = Keeper(exchange, clock)
            await clients.register_parties(exchange, fixtures.parties(), actor="test")
            await keeper.write_and_seal(1, 4)
            sykehus = next(client for client in fixtures.clients() if client.name == "sykehus")
            taken = await receive.receive(exchange, sykehus, Handed(ADMITTED, "test"))
            await keeper.write_and_seal(3, 5)
            return str(taken.message_id)

    assert configured
    return asyncio.run(act())


def run(*words: str, code: int = 0) -> str:
    done = runner.invoke(app, ["audit", *words], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def change(statement: str) -> None:
    async def act() -> None:
        async with (
            open_exchange(load()) as exchange,
            owning(exchange.database) as database,
            database.write(EVERYTHING) as tx,
        ):
            for trigger in ("audit_refuses_update", "audit_refuses_delete") if not tx.is_postgresql else ():
                await tx.connection.execute(text(f"DROP TRIGGER {trigger}"))
            if tx.is_postgresql:
                await tx.connection.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
            await tx.connection.execute(text(statement))

    asyncio.run(act())


def stand_alone(file: Path, *more: str, key: str | None = None, code: int = 0) -> str:
    """Run the script as an auditor does: without site packages, and without this project."""
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-I", "-S", str(SCRIPT), str(file), "--key", key or run("key").strip(), *more],
        capture_output=True,
        text=True,
        check=False,
        cwd=file.parent,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_check_tells_by_its_exit_code_and_in_words(message_id: str) -> None:
    assert "is as it was sealed" in run("verify")
    told = json.loads(run("verify", "--format", "json"))
    assert (told["whole"], told["seals"], told["findings"]) == (True, 4, [])
    since = told["newest"]["digest"]
    assert json.loads(run("verify", "--since", since, "--format", "json"))["lines"] == 0
    change(f"UPDATE audit SET actor = 'x' WHERE message_id = '{stored(message_id)}' AND event = 'message.received'")  # noqa: S608
    assert "does not say what was sealed" in run("verify", code=1)
    [found] = json.loads(run("verify", "--format", "json", code=1))["findings"]
    assert (found["verdict"], found["notice"]) == ("edited", False)
    assert "is as it was sealed" in run("verify", "--since", since)


def stored(message_id: str) -> str:
    return message_id.replace("-", "") if load().database_url.startswith("sqlite") else message_id


def test_a_gap_is_acknowledged_only_when_there_is_one(message_id: str) -> None:
    assert message_id
    with pytest.raises(InvalidRequest):
        run("acknowledge-gap", "--note", "none")


def test_an_export_is_checked_elsewhere(message_id: str, tmp_path: Path) -> None:
    file, anchor = tmp_path / "export.jsonl", str(tmp_path / "key-audit.anchor")
    run("export", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert message_id in file.read_text("utf-8")
    with pytest.raises(CallerError):
        run("export", str(file))
    assert "as it was sealed" in stand_alone(file, "--anchor", anchor, "--all-signatures")
    assert "foreign key" in stand_alone(file, key="ab" * 32, code=1)
    assert "cannot be read" in stand_alone(tmp_path / "none", code=2)
    assert "cannot be read" in stand_alone(SCRIPT, key="ab" * 32, code=2)
    assert "audit.exported" in runner.invoke(app, ["audit", "show"]).output


def edit(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[list[dict[str, Any]]], object]:
    return change


def lines_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if "line" in row]


def seals_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if "seal" in row]


def remove_tail(rows: list[dict[str, Any]], *, admit: bool) -> None:
    last = rows.index(seals_of(rows)[-2])
    del rows[last + 1 :]
    if admit:
        rows[0] |= {"until": rows[last]["seal"]["number"], "lines": rows[last]["seal"]["size"]}


def swap(rows: list[dict[str, Any]]) -> None:
    one, two = (rows.index(row) for row in lines_of(rows)[-2:])
    rows[one], rows[two] = rows[two], rows[one]


MUTATIONS: dict[str, tuple[Callable[[list[dict[str, Any]]], object], str]] = {
    "a line": (lambda rows: lines_of(rows)[2]["line"].update(actor="x"), "edited: line 3"),
    "a detail": (lambda rows: lines_of(rows)[-1]["line"]["detail"].update(n=9), "edited"),
    "a line and its hash": (lambda rows: lines_of(rows)[2].update(hash="00" * 32), "rewritten"),
    "a line less": (lambda rows: rows.remove(lines_of(rows)[2]), "deleted"),
    "a line emptied": (lambda rows: lines_of(rows)[2].update(line=None), "deleted: line 3"),
    "a line twice": (lambda rows: rows.insert(3, lines_of(rows)[1]), "rewritten"),
    "two lines swapped": (swap, "reordered"),
    "a seal less": (lambda rows: rows.remove(seals_of(rows)[1]), "seal deleted"),
    "a seal": (lambda rows: seals_of(rows)[1]["seal"].update(at="2026-03-09T12:00:00.000000Z"), "seal changed"),
    "the newest seal": (lambda rows: seals_of(rows)[-1]["seal"].update(last_line=1), "seal changed: seal 3"),
    "no seal at the end": (lambda rows: rows.remove(seals_of(rows)[-1]), "truncated"),
    "a shorter file": (lambda rows: remove_tail(rows, admit=False), "truncated"),
    "a shorter export": (lambda rows: remove_tail(rows, admit=True), "truncated"),
}


def test_whatever_is_changed_in_an_export_is_found_and_named(message_id: str, tmp_path: Path) -> None:
    assert message_id
    file, changed, anchor = tmp_path / "export.jsonl", tmp_path / "changed.jsonl", str(tmp_path / "key-audit.anchor")
    run("export", str(file))
    key = run("key").strip()
    for name, (mutate, verdict) in MUTATIONS.items():
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        mutate(rows)
        changed.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
        assert verdict in stand_alone(changed, "--anchor", anchor, key=key, code=1), name


def test_a_database_that_was_changed_makes_an_export_that_tells_it(message_id: str, tmp_path: Path) -> None:
    assert message_id
    change("DELETE FROM audit WHERE id = 2")
    change_again = "UPDATE audit SET actor = 'x' WHERE id = 3"

    async def act() -> None:
        async with (
            open_exchange(load()) as exchange,
            owning(exchange.database) as database,
            database.write(EVERYTHING) as tx,
        ):
            await tx.connection.execute(text(change_again))

    asyncio.run(act())
    run("export", str(tmp_path / "export.jsonl"))
    told = stand_alone(tmp_path / "export.jsonl", code=1)
    assert "deleted: line 2 is gone" in told
    assert "edited: line 3" in told


def test_a_message_is_proved_line_by_line(message_id: str, tmp_path: Path) -> None:
    told = json.loads(run("verify", "--format", "json"))
    file, anchor = tmp_path / "proof.json", tmp_path / "key-audit.anchor"
    file.write_text(run("prove", message_id), "utf-8")
    proof = json.loads(file.read_text("utf-8"))
    assert [one["line"]["event"] for one in proof["lines"]] == ["message.received", "delivery.created"]
    assert "proved: line" in stand_alone(file)
    assert "not proved" in stand_alone(file, key="ab" * 32, code=1)
    anchored = anchor.read_bytes().splitlines(keepends=True)
    (tmp_path / "newest").write_bytes(anchored[-1])
    stand_alone(file, "--anchor", str(anchor))
    assert "not proved" in stand_alone(file, "--anchor", str(tmp_path / "newest"), code=1)
    file.write_text(run("prove", message_id, "--to", told["newest"]["digest"]), "utf-8")
    stand_alone(file, "--anchor", str(tmp_path / "newest"))


PROOF_MUTATIONS: list[Callable[[dict[str, Any]], object]] = [
    lambda proof: proof["lines"][0]["line"].update(event="x"),
    lambda proof: proof["lines"][0].update(index=proof["lines"][0]["index"] + 1),
    lambda proof: proof["lines"][0]["proof"].pop(),
    lambda proof: proof["lines"][0]["proof"].append("00" * 32),
    lambda proof: proof["lines"][0].update(seal=proof["seals"][-1]["number"]),
    lambda proof: proof["seals"][0].update(root=proof["seals"][-1]["root"]),
    lambda proof: proof["seals"][-1].update(size=99),
    lambda proof: proof["consistency"][0]["proof"].pop(),
    lambda proof: proof.update(message_id="5f5e94d5-d908-476b-a172-a241c52eddb6"),
]


def test_no_changed_proof_passes(message_id: str, tmp_path: Path) -> None:
    whole = run("prove", message_id, "--to", "3")
    key = run("key").strip()
    for mutate in PROOF_MUTATIONS:
        proof = json.loads(whole)
        mutate(proof)
        (tmp_path / "proof.json").write_text(json.dumps(proof), "utf-8")
        assert "not proved" in stand_alone(tmp_path / "proof.json", key=key, code=1)


def test_what_cannot_be_proved_is_told_in_words(message_id: str) -> None:
    with pytest.raises(NotFound):
        run("prove", "5f5e94d5-d908-476b-a172-a241c52eddb6")
    with pytest.raises(NotFound):
        run("prove", message_id, "--to", "99")
    with pytest.raises(Conflict):
        run("prove", message_id, "--to", "0")

    async def receive_another() -> str:
        async with open_exchange(load()) as exchange, work.running(exchange, deliver=False):
            sykehus = next(client for client in fixtures.clients() if client.name == "sykehus")
            discharged = fixtures.read("valid/plo/1.6/utskrivningsrapport_n.xml")
            return str((await receive.receive(exchange, sykehus, Handed(discharged, "test"))).message_id)

    with pytest.raises(Conflict, match="is sealed yet"):
        run("prove", asyncio.run(receive_another()))


# RFC 8032, 7.1: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_the_script_knows_the_signatures_of_the_standard(key: str, message: str, signature: str) -> None:
    checked = STAND_ALONE["is_signed"]
    assert checked(bytes.fromhex(key), bytes.fromhex(signature), bytes.fromhex(message))
    assert not checked(bytes.fromhex(key), bytes.fromhex(signature), bytes.fromhex(message) + b"x")


@settings(deadline=None, max_examples=30)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 95), st.integers(0, 7))
def test_the_script_agrees_with_the_library_about_signatures(secret: bytes, content: bytes, at: int, bit: int) -> None:
    owner = Ed25519PrivateKey.from_private_bytes(secret)
    key, signature = owner.public_key().public_bytes_raw(), owner.sign(content)
    assert STAND_ALONE["is_signed"](key, signature, content)
    both = bytearray(key + signature)
    both[at] ^= 1 << bit
    assert not STAND_ALONE["is_signed"](bytes(both[:32]), bytes(both[32:]), content)


def test_the_script_refuses_a_signature_that_was_made_larger_by_the_order_of_the_group() -> None:
    owner = Ed25519PrivateKey.from_private_bytes(bytes(32))
    signature = owner.sign(b"content")
    larger = int.from_bytes(signature[32:], "little") + STAND_ALONE["L"]
    forged = signature[:32] + larger.to_bytes(32, "little")
    assert not STAND_ALONE["is_signed"](owner.public_key().public_bytes_raw(), forged, b"content")
