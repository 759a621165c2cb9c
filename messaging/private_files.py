"""Files that only we may read: the database, and the secrets beside it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from messaging.errors import ConfigurationError

SECRET_BYTES = 32


def make_private(file: Path) -> None:
    """Make sure that an SQLite file is there and readable to us alone: it holds patients' documents."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"database_url: {file} cannot be written: {error.strerror}.") from error


def make_secret(path: Path, setting: str) -> bytes:
    """Make a file of 32 secret bytes, readable to us alone. Raises FileExistsError, ConfigurationError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise
    except OSError as error:
        raise ConfigurationError(f"{setting} {path} cannot be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "wb") as file:
        made = secrets.token_bytes(SECRET_BYTES)
        file.write(made)
        file.flush()
        os.fsync(file.fileno())
    return made


def read_secret(path: Path, setting: str, otherwise: str) -> bytes:
    """Read a file of 32 secret bytes; make it, readable to us alone, when there is none.

    Raises ConfigurationError when others can read it, or when it is no such secret; `otherwise` says what else to do.
    """
    try:
        return make_secret(path, setting)
    except FileExistsError:
        return kept_secret(path, setting, otherwise)


def kept_secret(path: Path, setting: str, otherwise: str) -> bytes:
    """Read a file of 32 secret bytes that is there. Raises ConfigurationError as read_secret does, and without it."""
    try:
        mode, kept = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{setting} {path.name} cannot be read: {error.strerror}. Put it back, or {otherwise}."
        ) from error
    if mode & 0o077:
        raise ConfigurationError(f"{setting} {path.name} can be read by others; set its mode to 0600.")
    if len(kept) != SECRET_BYTES:
        raise ConfigurationError(
            f"{setting} {path.name} is not a key of {SECRET_BYTES} bytes; put the right file back, or remove it "
            f"and {otherwise}."
        )
    return kept
