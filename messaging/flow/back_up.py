"""Backups: a copy of the database with a manifest that says what it is, and the way back from it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from messaging import __version__
from messaging.errors import InvalidRequest, Unavailable
from messaging.model.sight import EVERYTHING
from messaging.store import copies, revisions, seals
from messaging.store.session import Database

MANIFEST = "manifest.json"
_FILES = {"sqlite": "samhandling.db", "postgresql": "samhandling.pgdump"}
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup says of itself: of which kind of database, and what is in it for certain."""

    made_at: str
    kind: str
    file: str
    bytes: int
    sha256: str
    revision: str
    """Of the tables; this version of the exchange, or a newer one, can read it."""
    version: str
    seal: int | None
    """The newest seal of the audit log when the copy began; the copy may hold later ones."""
    seal_digest: str | None


async def back_up(database: Database, folder: Path, *, at: datetime) -> Backup:
    """Copy the database into a new folder while it is used; the folder appears when it is whole.

    Neither keys nor settings are in it: with them beside it, whoever takes the copy could read every document. Raises
    InvalidRequest when the folder is there, ConfigurationError and Unavailable as `copies.copy` says.
    """
    if database.file is not None and not database.file.exists():
        raise InvalidRequest(f"There is no database at {database.file}: is it the one that database_url names?")
    kind, half = "sqlite" if database.is_sqlite else "postgresql", _begun(folder)
    try:
        async with database.read(EVERYTHING) as tx:
            newest = await seals.last(tx)
        file = half / _FILES[kind]
        await copies.copy(database, file)
        made = Backup(
            made_at=at.isoformat(timespec="seconds"),
            kind=kind,
            file=file.name,
            bytes=file.stat().st_size,
            sha256=_kept(file),
            revision=await revisions.revision_of(database),
            version=__version__,
            seal=newest.seal.number if newest else None,
            seal_digest=newest.seal.digest.hex() if newest else None,
        )
        manifest = half / MANIFEST
        manifest.write_text(json.dumps(asdict(made), indent=2) + "\n", "utf-8")
        _kept(manifest)
        half.rename(folder)
        _sync(folder.parent)
    except OSError as error:
        raise Unavailable(f"{folder} could not be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return made


def _begun(folder: Path) -> Path:
    """Make a folder beside the one that is wanted, to be given its name when it is whole."""
    if folder.exists():
        raise InvalidRequest(f"{folder} is there already; name a new folder.")
    half = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
    try:
        half.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise InvalidRequest(f"{folder} cannot be made: {error.strerror}.") from None
    return half


def _kept(file: Path) -> str:
    """Wait until a file is on the disk, readable to its owner alone; gives its digest."""
    file.chmod(0o600)
    _sync(file)
    return _digest(file)


def _sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as read:
        while piece := read.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def read(folder: Path) -> Backup:
    """Read what a backup says of itself, and hold its file to it. Raises InvalidRequest for what is no whole backup."""
    try:
        told: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        backup = Backup(**told)
        whole = _digest(folder / Path(backup.file).name) == backup.sha256
    except (OSError, ValueError, TypeError):
        raise InvalidRequest(f"{folder} is no backup: it lacks a {MANIFEST} that can be read, or its file.") from None
    if not whole:
        raise InvalidRequest(
            f"The file in {folder} is not as it was written: its SHA-256 is another. Use another backup."
        )
    return backup


async def restore(database: Database, folder: Path) -> Backup:
    """Fill an empty database from a backup. Raises InvalidRequest, which says what stands in the way."""
    backup = read(folder)
    kind = "sqlite" if database.is_sqlite else "postgresql"
    if backup.kind != kind:
        raise InvalidRequest(f"This is a backup of {backup.kind}, and database_url names {kind}.")
    if not revisions.knows(backup.revision):
        raise InvalidRequest(f"A newer version ({backup.version}) wrote this backup; restore it with that one.")
    if not await copies.is_empty(database):
        raise InvalidRequest(
            "There is something in the database that database_url names. Name an empty one; nothing is overwritten."
        )
    await copies.bring_back(database, folder / Path(backup.file).name)
    return backup
