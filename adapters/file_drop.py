"""Hands documents over as files in a folder, and takes in the files that others put there.

    FOLDER/out/          documents for the far side: a file has its final name only when it is whole and on the disk
    FOLDER/receipts/     the same for AppRecs, also those that say why a file from in/ was refused
    FOLDER/in/           the far side puts files here, under a name that ends in .tmp or .part until they are whole
    FOLDER/processing/   taken by one watcher, not yet judged
    FOLDER/accepted/     kept by the exchange
    FOLDER/rejected/     refused, each with NAME.faults.json beside it

A file leaves processing/ only after the verdict. What a crash left there is submitted again, which does no harm: the
exchange knows a document again by its sender and MsgId. File names may tell of patients, so no log line holds one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, DirectoryPath, Field, PositiveInt
from watchfiles import Change, awatch

from messaging.spi import AdapterKind, Deferred, NotNow, Outcome, Parcel, Rejected, Sent, Submission, Submit

ABANDONED_AFTER = 300.0
"""Seconds in processing/ after which any watcher takes a file for abandoned, and submits it again."""

OUTWARD = ("out", "receipts")
INWARD = ("in", "processing", "accepted", "rejected")

_UNFINISHED = (".tmp", ".part")
_CLAIM = re.compile(r"^[0-9a-f]{12}~(?=.)", re.DOTALL)
_LONGEST_NAME = 200  # bytes; leaves room within 255 for what is put before and after
_log = logging.getLogger(__name__)

Faults = Sequence[dict[str, Any]]


class _Gone(Exception):
    """Another watcher has the file, or is done with it."""


class Settings(BaseModel):
    """What the operator sets for an instance."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: DirectoryPath
    """The folder that holds the six. It must exist, so that a share that is not mounted is noticed at the start."""
    takes_in: bool = True
    """Whether in/ is watched; false for a folder that is only written to."""
    scan_seconds: float = Field(default=10.0, gt=0)
    """How often in/ is looked through, for what the file system does not tell (network shares tell nothing)."""
    quiet_seconds: float = Field(default=1.0, ge=0)
    """A file is taken when it has not been written to for so long: for those who write under the final name."""
    max_bytes: PositiveInt = 35_000_000
    """A larger file is rejected unread."""


class FileDrop:
    """One folder, written to and watched."""

    def __init__(self, name: str, settings: Settings) -> None:
        self._name, self._settings = name, settings
        self._incoming, self._processing = settings.folder / "in", settings.folder / "processing"

    def _say(self, level: int, words: str, reason: str | None) -> None:
        _log.log(level, words, extra={"adapter": self._name, "reason": reason})

    async def deliver(self, parcel: Parcel) -> Outcome:
        """Write the document durably; the same delivery again writes the same file again."""
        folder = self._settings.folder / ("receipts" if parcel.is_apprec else "out")
        name = file_name(parcel)
        try:
            await asyncio.to_thread(_write, folder / name, parcel.content, parcel.attempt)
        except OSError as error:
            return Deferred(f"{folder.name}/ cannot be written to: {error.strerror}")
        return Sent(f"written to {folder.name}/{name}")

    async def listen(self, submit: Submit) -> None:
        """Submit what stands in the folder, and then what comes, until cancelled."""
        if not self._settings.takes_in:
            return
        woken = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch(woken))
            abandoned_after = 0.0  # at the start nobody works on what stands in processing/
            while True:
                woken.clear()
                soon = await self.sweep(submit, abandoned_after=abandoned_after)
                abandoned_after = ABANDONED_AFTER
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.quiet_seconds if soon else self._settings.scan_seconds):
                        await woken.wait()

    async def _watch(self, woken: asyncio.Event) -> None:
        try:
            async for _ in awatch(self._incoming, recursive=False, watch_filter=_is_news):
                woken.set()
        except (OSError, RuntimeError) as error:
            self._say(logging.WARNING, "in/ cannot be watched, and is only scanned", type(error).__name__)

    async def sweep(self, submit: Submit, *, abandoned_after: float = ABANDONED_AFTER) -> bool:
        """Submit every file that is abandoned or ready, the oldest first; tell if one is still being written."""
        try:
            abandoned = await asyncio.to_thread(_older, self._processing, abandoned_after)
            ready, growing = await asyncio.to_thread(_ready, self._incoming, self._settings.quiet_seconds)
        except OSError as error:
            self._say(logging.WARNING, "the folder cannot be read", error.strerror)
            return False
        for path in (*abandoned, *ready):
            try:
                await self._process(path, submit)
            except Exception as error:  # noqa: BLE001 - one poisonous file must not stop its neighbours
                what = error.strerror if isinstance(error, OSError) else type(error).__name__
                self._say(logging.ERROR, "a file is left for later", what)
        return growing

    async def _process(self, path: Path, submit: Submit) -> None:
        """Take one file, learn the verdict, and put it where it belongs; do nothing if another watcher is quicker."""
        with suppress(_Gone):
            again = path.parent == self._processing
            taken = path if again else await asyncio.to_thread(_take, path, self._processing)
            content, faults = await asyncio.to_thread(_read, taken, self._settings.max_bytes)
            if content is not None:
                faults = await self._judge(content, submit, again=again)
            await asyncio.to_thread(_settle, taken, faults)

    async def _judge(self, content: bytes, submit: Submit, *, again: bool) -> Faults | None:
        """Submit until there is a verdict; the file waits in processing/ meanwhile, and so do those behind it.

        None says that the document is accepted. A refused one is answered before its file is moved.
        """
        while isinstance(verdict := await submit(Submission(content, self._name, again)), NotNow):
            self._say(logging.WARNING, "nothing can be taken in just now; trying again", verdict.reason)
            await asyncio.sleep(self._settings.scan_seconds)
            again = True
        if not isinstance(verdict, Rejected):
            return None
        for receipt in verdict.receipts:
            await asyncio.to_thread(_write, self._settings.folder / "receipts" / file_name(receipt), receipt.content)
        return verdict.faults


def file_name(parcel: Parcel) -> str:
    """Name the file of a delivery: the same for every attempt, and safe whatever the type and the id are."""
    return f"{parcel.receiver_her_id}-{quote(parcel.type[:50], safe='')}-{quote(parcel.delivery_id, safe='')}.xml"


def _is_news(change: Change, _path: str) -> bool:
    return change != Change.deleted


def _ready(folder: Path, quiet_seconds: float) -> tuple[list[Path], bool]:
    """List the whole files, the oldest first, and tell if there are others that are still being written."""
    now = time.time()
    whole = [(written, path) for written, _, path in _documents(folder)]
    # A time in the future is a clock that differs from ours, and tells nothing.
    ready = [(written, path) for written, path in whole if not 0 <= now - written < quiet_seconds]
    return [path for _, path in sorted(ready)], len(ready) < len(whole)


def _older(folder: Path, seconds: float) -> list[Path]:
    """List the files that were put into the folder so many seconds ago, the oldest document first."""
    now = time.time()
    return [
        path for _, path in sorted((written, path) for written, put, path in _documents(folder) if now - put >= seconds)
    ]


def _documents(folder: Path) -> list[tuple[float, float, Path]]:
    """List (written, put here, path) of the regular files that have bytes and a finished name; no link is followed."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower().endswith(_UNFINISHED):
                continue
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if S_ISREG(status.st_mode) and status.st_size:
                    found.append((status.st_mtime, status.st_ctime, Path(entry.path)))
    return found


def _take(path: Path, processing: Path) -> Path:
    """Claim a file by renaming it, which only one watcher can do."""
    name = os.fsdecode(os.fsencode(path.name)[-_LONGEST_NAME:])
    try:
        return path.rename(processing / f"{uuid.uuid4().hex[:12]}~{name}")
    except FileNotFoundError:
        raise _Gone from None


def _read(path: Path, max_bytes: int) -> tuple[bytes | None, Faults | None]:
    """Read a taken file, or say why it cannot be read."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not S_ISREG(status.st_mode):
                return None, _fault("It is no regular file. Put the document itself in in/, no link, pipe or device.")
            content = b"" if status.st_size > max_bytes else file.read(max_bytes + 1)  # it may grow while it is read
            if status.st_size > max_bytes or len(content) > max_bytes:
                return None, _fault(f"The file is larger than {max_bytes} bytes, which is the most that is taken.")
            return content, None
    except FileNotFoundError:
        raise _Gone from None
    except OSError as error:
        return None, _fault(f"The file cannot be read ({error.strerror}). Mend its rights, and put it in in/ again.")


def _fault(text: str) -> Faults:
    return [{"code": "T01", "text": text, "line": None, "path": None}]


def _settle(taken: Path, faults: Faults | None) -> None:
    """Move a judged file to accepted/ or rejected/, the report first."""
    name = _CLAIM.sub("", taken.name)
    place = _reserved(taken.parents[1] / ("accepted" if faults is None else "rejected"), name)
    report = _report_of(place)
    try:
        if faults is not None:
            told = {"file": name, "verdict": "rejected", "faults": list(faults)}
            _write(report, json.dumps(told, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace"))
        taken.replace(place)
    except OSError as error:
        place.unlink(missing_ok=True)
        report.unlink(missing_ok=True)
        if isinstance(error, FileNotFoundError) and not taken.exists():
            raise _Gone from None
        raise


def _reserved(folder: Path, name: str) -> Path:
    """Find a name that overwrites nothing, the file's own if it is free, and hold it with an empty file."""
    place = folder / name
    while True:
        with suppress(FileExistsError):
            if not _report_of(place).exists():
                os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640))
                return place
        place = folder / f"{Path(name).stem}~{uuid.uuid4().hex[:8]}{Path(name).suffix}"


def _report_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.faults.json")


def _write(path: Path, content: bytes, attempt: int = 1) -> None:
    """Write a file so that its name appears with all of its bytes, on the disk, or not at all."""
    temporary = _temporary(path, attempt)
    try:
        temporary.unlink(missing_ok=True)  # whatever has its name, such as a pipe, is never written into
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o640), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    for earlier in range(1, attempt):
        _temporary(path, earlier).unlink(missing_ok=True)  # what an attempt left that was killed


def _temporary(path: Path, attempt: int) -> Path:
    # A name of its own for each attempt: one that was given up on and still runs cannot spoil the next one's file.
    return path.with_name(f".{path.name}.{attempt}.tmp")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@asynccontextmanager
async def open_file_drop(name: str, settings: Settings, _reach: object = None) -> AsyncIterator[FileDrop]:
    """Make the missing folders inside the given one. Raises OSError or ValueError when they cannot serve."""
    await asyncio.to_thread(_prepare, settings.folder, (*OUTWARD, *INWARD) if settings.takes_in else OUTWARD)
    yield FileDrop(name, settings)


def _prepare(root: Path, names: Sequence[str]) -> None:
    for name in names:
        folder = root / name
        folder.mkdir(mode=0o770, exist_ok=True)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            raise ValueError(f"the exchange may not write to {folder}; give it the rights")
        if folder.stat().st_dev != root.stat().st_dev:
            raise ValueError(f"{folder} is on another file system than {root}; files are renamed between them")
        if folder.is_symlink():
            raise ValueError(f"{folder} is a link; make it a folder of its own inside {root}")


KIND = AdapterKind("file_drop", Settings, open_file_drop)
