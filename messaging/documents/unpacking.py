"""The XSDs of a folder or a ZIP, read within limits: nothing is followed, nothing is written, nothing is fetched."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from messaging.errors import ConfigurationError

MOST_ENTRIES = 5_000
"""Files of any sort in a folder or a ZIP."""
MOST_FILES = 500
LARGEST_FILE = 2_000_000
"""Bytes of one XSD."""
LARGEST_PACK = 20_000_000
"""Bytes of all XSDs together."""
LARGEST_ZIP = 50_000_000
LONGEST_NAME = 200

_ENCRYPTED = 0x1
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)


def gather(source: Path) -> dict[str, bytes]:
    """Read every .xsd of a folder or a ZIP, by its path inside; other files are passed over.

    Raises ConfigurationError for a link, a path that leads outside, or more than the limits allow.
    """
    found: dict[str, bytes] = {}
    size = 0
    for name, content in _folder(source) if source.is_dir() else _archive(source):
        if name in found:
            raise ConfigurationError(f"{source.name} holds {name} twice.")
        found[name] = content
        size += len(content)
        if len(content) > LARGEST_FILE:
            raise ConfigurationError(f"{name} in {source.name} is larger than {LARGEST_FILE} bytes.")
        if len(found) > MOST_FILES or size > LARGEST_PACK:
            raise ConfigurationError(
                f"{source.name} holds more than {MOST_FILES} XSDs or {LARGEST_PACK} bytes of them."
            )
    if not found:
        raise ConfigurationError(f"{source.name} holds no .xsd file.")
    return found


def _folder(source: Path) -> Iterator[tuple[str, bytes]]:
    entries = 0
    for folder, inner, names in os.walk(source):
        inner.sort()
        for name in sorted([*inner, *names]):
            entries += 1
            path = Path(folder, name)
            mode = path.lstat().st_mode
            inside = path.relative_to(source).as_posix()
            _require_usable(inside, source, entries=entries, is_link=stat.S_ISLNK(mode))
            if stat.S_ISREG(mode) and _is_schema(inside):
                yield inside, _bytes_of(path)


def _bytes_of(path: Path) -> bytes:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error.strerror}.") from error


def _archive(source: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if source.stat().st_size > LARGEST_ZIP:
            raise ConfigurationError(f"{source.name} is larger than {LARGEST_ZIP} bytes.")
        with zipfile.ZipFile(source) as archive:
            for entries, entry in enumerate(archive.infolist(), 1):
                is_link = stat.S_ISLNK(entry.external_attr >> 16)
                _require_usable(entry.filename, source, entries=entries, is_link=is_link)
                if entry.flag_bits & _ENCRYPTED:
                    raise ConfigurationError(f"{entry.filename} in {source.name} is encrypted.")
                if not entry.is_dir() and _is_schema(entry.filename):
                    with archive.open(entry) as file:
                        yield entry.filename, file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise ConfigurationError(f"There is no folder and no file {source}.") from None
    except _BROKEN as error:
        raise ConfigurationError(f"{source.name} cannot be read as a ZIP file.") from error


def _require_usable(name: str, source: Path, *, entries: int, is_link: bool) -> None:
    if entries > MOST_ENTRIES:
        raise ConfigurationError(f"{source.name} holds more than {MOST_ENTRIES} files.")
    if is_link:
        raise ConfigurationError(f"{name!a} in {source.name} is a link; put the file itself there.")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or len(name) > LONGEST_NAME or not _is_plain(name):
        raise ConfigurationError(f"{source.name} holds a file whose path cannot be used: {name[:LONGEST_NAME]!a}.")


def _is_plain(name: str) -> bool:
    """Tell whether a path inside a pack is written in a way that every system reads alike."""
    return name.isprintable() and not set(name) & set('\\:*?"<>|')


def _is_schema(name: str) -> bool:
    """Pass over what is no XSD, and the shadow files (._x.xsd) that some systems put into a ZIP."""
    parts = PurePosixPath(name).parts
    return name.lower().endswith(".xsd") and not any(part.startswith((".", "__MACOSX")) for part in parts)
