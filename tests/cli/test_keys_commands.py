"""Keys at the terminal: shown, renewed and checked, on both databases; a kill in the middle loses nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from sqlalchemy import delete, update
from typer.testing import CliRunner

import fixtures
from messaging.app import open_exchange
from messaging.cli import app
from messaging.errors import InvalidRequest
from messaging.flow import clients, opening, receive, work
from messaging.flow.exchange import Exchange
from messaging.flow.receive import Handed
from messaging.model.sight import EVERYTHING
from messaging.settings import load
from messaging.store import audit
from messaging.store import tables as t
from messaging.store import tables_of_keys as keys

runner = CliRunner()
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
Result = TypeVar("Result")


def with_exchange(act: Callable[[Exchange], Awaitable[Result]]) -> Result:
    async def opened() -> Result:
        async with open_exchange(load()) as exchange, work.running(exchange, deliver=False):
            return await act(exchange)

    return asyncio.run(opened())


def content_of(number: int) -> bytes:
    start = ADMITTED.index(b"MsgId>") + len(b"MsgId>")
    return ADMITTED[:start] + str(UUID(int=number)).encode() + ADMITTED[ADMITTED.index(b"<", start) :]


@pytest.fixture
def sent(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[UUID, bytes]:
    """Five messages that the exchange has taken in which the commands open."""
    monkeypatch.setenv("SAMHANDLING_DATABASE_URL", database_url)
    monkeypatch.setenv("SAMHANDLING_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SAMHANDLING_DISK_RESERVE_BYTES", "0")

    async def act(exchange: Exchange) -> dict[UUID, bytes]:
        await clients.register_parties(exchange, fixtures.parties(), actor="test")
        sykehus = next(client for client in fixtures.clients() if client.name == "sykehus")
        contents = [content_of(number) for number in range(1, 6)]
        taken = [await receive.receive(exchange, sykehus, Handed(content, "test")) for content in contents]
        return {one.message_id: content for one, content in zip(taken, contents, strict=True)}

    return with_exchange(act)


def run(*words: str, code: int = 0) -> str:
    done = runner.invoke(app, ["keys", *words], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def shown() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run("show", "--format", "json"))
    return told


def documents_by_key() -> list[int]:
    return [key["documents"] for key in shown()["keys"] if key["purpose"] == "payload"]


def readable(sent: dict[UUID, bytes]) -> bool:
    async def act(exchange: Exchange) -> bool:
        found = [await opening.document_of(exchange, EVERYTHING, message_id) for message_id in sent]
        return found == [*sent.values()]

    return with_exchange(act)


def decrypted(sent: dict[UUID, bytes]) -> None:
    """Put documents there as they lay before there was encryption."""

    async def act(exchange: Exchange) -> None:
        async with exchange.database.write(EVERYTHING) as tx:
            for message_id, content in sent.items():
                await tx.connection.execute(delete(keys.payload_key).where(keys.payload_key.c.content_id == message_id))
                plain = update(t.payload).where(t.payload.c.message_id == message_id)
                await tx.connection.execute(plain.values(format="plain", content=content))

    with_exchange(act)


@pytest.mark.parametrize("command", ["make", "show", "rotate", "rewrap", "check"])
def test_each_command_says_what_it_does(command: str) -> None:
    assert f"keys {command}" in run(command, "--help")
    assert command in run("--help")


def test_a_master_key_is_made_for_its_owner_alone_and_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    assert "Back it up" in run("make", str(file))
    assert (file.stat().st_mode & 0o777, file.stat().st_size) == (0o600, 32)
    before = file.read_bytes()
    with pytest.raises(InvalidRequest, match="never written over"):
        run("make", str(file))
    assert file.read_bytes() == before


def test_keys_are_shown_with_what_needs_them(sent: dict[UUID, bytes]) -> None:
    told = shown()
    (master,) = told["masters"]
    assert {(key["purpose"], key["master"], key["documents"]) for key in told["keys"]} == {
        ("payload", master, 5),
        ("patient", master, None),
    }
    assert (told["unencrypted"], told["unencrypted_opens"]) == (0, False)
    table = run("show")
    assert master in table
    assert "unencrypted" not in table
    assert readable(sent)


def test_a_new_master_key_takes_over_and_the_old_one_is_shown_as_used_no_more(
    sent: dict[UUID, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Path(os.environ["SAMHANDLING_KEY_FILE"]).with_name("key-master.key")
    run("make", str(tmp_path / "new.key"))
    files = [{"kind": "file", "path": str(path)} for path in (tmp_path / "new.key", old)]
    monkeypatch.setenv("SAMHANDLING_ENCRYPTION_KEYS", json.dumps(files))
    assert "5 keys wrapped anew, 0 documents encrypted" in run("rotate")
    told = shown()
    assert {key["master"] for key in told["keys"]} == {told["masters"][0]}
    monkeypatch.setenv("SAMHANDLING_ENCRYPTION_KEYS", json.dumps(files[:1]))
    assert readable(sent)
    assert "5 keys open, 0 do not." in run("check")


def test_a_key_that_does_not_open_is_named_with_an_exit_code(sent: dict[UUID, bytes]) -> None:
    spoilt = next(iter(sent))

    async def spoil(exchange: Exchange) -> None:
        async with exchange.database.write(EVERYTHING) as tx:
            own = keys.payload_key.c.content_id == spoilt
            await tx.connection.execute(update(keys.payload_key).where(own).values(wrapped=b"x" * 60))

    with_exchange(spoil)
    told = run("check", code=1)
    assert f"damaged: {spoilt}" in told
    assert "4 keys open, 1 do not." in told
    assert f"damaged, and left as it is: {spoilt}" in run("rotate")


def test_what_is_from_before_there_was_encryption_is_encrypted_and_then_nothing_unencrypted_opens(
    sent: dict[UUID, bytes],
) -> None:
    first, *others = sent
    decrypted({message_id: sent[message_id] for message_id in others})
    told = run("show")
    assert "4 documents lie unencrypted and are refused" in told
    assert all(f"damaged: {message_id}" in run("check", code=1) for message_id in others)
    told = run("rewrap")
    assert "0 documents encrypted" in told
    assert "--from-before" in told
    assert "4 documents encrypted" in run("rewrap", "--from-before")
    assert readable(sent)
    assert "5 keys open, 0 do not." in run("check")
    decrypted({first: sent[first]})
    told = run("rewrap")
    assert "0 documents encrypted" in told
    assert "1 documents lie unencrypted and are refused" in told
    assert f"damaged: {first}" in run("check", code=1)

    async def vouched(exchange: Exchange) -> list[dict[str, Any]]:
        async with exchange.database.read(EVERYTHING) as tx:
            return await audit.recent(tx, event="keys.unencrypted_vouched")

    assert [line["detail"] for line in with_exchange(vouched)] == [{"documents": 4}]


DYING = """
import os, signal, sys
from messaging.cli import main
from messaging.flow import renew
from messaging.store import payload_keys

renew._AT_A_TIME = renew._DOCUMENTS_AT_A_TIME = 1
where, left = sys.argv[1], 3
step = getattr(payload_keys, where)

async def dying(*given):
    global left
    await step(*given)
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

setattr(payload_keys, where, dying)
sys.argv = ["samhandling", "keys", *sys.argv[2:]]
main()
"""
"""A command of keys that is killed in its third transaction, when all of it is written and nothing committed."""


def killed(where: str, *words: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", DYING, where, *words], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_renewal_that_is_killed_in_the_middle_goes_on_with_what_is_left(sent: dict[UUID, bytes]) -> None:
    killed("renew", "rotate")
    assert documents_by_key() == [3, 2], "two of five were committed, and the third was not"
    assert readable(sent)
    assert "5 keys open, 0 do not." in run("check")
    assert "3 keys wrapped anew" in run("rewrap")
    assert documents_by_key() == [0, 5]
    assert readable(sent)


def test_an_encryption_of_what_lay_unencrypted_that_is_killed_in_the_middle_goes_on_with_what_is_left(
    sent: dict[UUID, bytes],
) -> None:
    decrypted(sent)
    killed("encrypt", "rewrap", "--from-before")
    assert (shown()["unencrypted"], shown()["unencrypted_opens"]) == (3, True)
    assert readable(sent), "those that are left are read as they are until all is done"
    assert "3 documents lie unencrypted; `samhandling keys rewrap` encrypts them." in run("show")
    assert "3 documents encrypted" in run("rewrap")
    assert (shown()["unencrypted"], shown()["unencrypted_opens"]) == (0, False)
    assert readable(sent)
