"""Anchors: where seals are written outside the database, out of reach of whoever changes what stands in it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from logging.handlers import SYSLOG_UDP_PORT, SysLogHandler
from pathlib import Path
from typing import Any, Protocol, TypeVar

from messaging.calling import caller, out_of_reach
from messaging.http import HTTPError
from messaging.model.seal import Seal, canonical
from messaging.reach import PUBLIC, Reach

Result = TypeVar("Result")

PATIENCE = 5.0
"""Seconds that an anchor gets for one answer."""

_TAIL = 1 << 16


class AnchorFailed(Exception):
    """The anchor did not take or did not give what was asked; the text says why, and it is asked again."""


class Anchor(Protocol):
    """A place outside the database that keeps seals."""

    name: str
    readable: bool
    """Whether the anchor can tell what it has."""

    async def put(self, seals: Sequence[Seal]) -> None:
        """Write seals behind those it has, durably. Raises AnchorFailed."""

    async def last(self) -> Seal | None:
        """Read the newest seal it has; None when it has none, or cannot tell. Raises AnchorFailed."""


def line_of(seal: Seal) -> bytes:
    """Write a seal as anchors keep it: one line of JSON."""
    return canonical({"seal": seal.told()}) + b"\n"


def seal_of(line: bytes) -> Seal:
    """Read an anchor's line. Raises ValueError when it is none."""
    told = json.loads(line)
    if not isinstance(told, dict) or set(told) != {"seal"}:
        raise ValueError("that is no anchored seal")
    return Seal.read(told["seal"])


class FileAnchor:
    """A file that only grows, a line of JSON a seal; on another disk, or on another host's."""

    readable = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"file {path.name}"
        self._one_at_a_time = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="anchor")
        self._running: Future[Any] | None = None

    async def put(self, seals: Sequence[Seal]) -> None:
        """Append and wait for the disk."""
        await self._run(lambda: self._append(b"".join(map(line_of, seals))))

    async def last(self) -> Seal | None:
        """Read the last whole line."""
        return await self._run(self._last)

    async def _run(self, act: Callable[[], Result]) -> Result:
        """Act in a thread of our own: a share that hangs must hold up nothing else."""
        async with self._one_at_a_time:
            if self._running is not None and not self._running.done():
                raise AnchorFailed("the file system has not answered for a while")
            self._running = running = self._thread.submit(act)
            try:
                async with asyncio.timeout(PATIENCE):
                    return await asyncio.shield(asyncio.wrap_future(running))
            except TimeoutError:
                raise AnchorFailed("the file system does not answer") from None
            except OSError as error:
                raise AnchorFailed(error.strerror or type(error).__name__) from error
            except ValueError as error:
                raise AnchorFailed("its last line is no seal") from error

    def _append(self, lines: bytes) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        with os.fdopen(descriptor, "rb+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = file.seek(0, os.SEEK_END)
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                lines = b"\n" + lines  # what a crash cut short stays, and the check knows it again
            if file.write(lines) != len(lines):
                raise OSError(28, "only a part could be written")
            os.fsync(descriptor)

    def _last(self) -> Seal | None:
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL))
                lines = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return None
        return seal_of(lines[-1]) if lines else None

    def lines(self) -> Iterator[bytes]:
        """Read the file line by line. Raises OSError."""
        with self.path.open("rb") as file:
            yield from file


class HttpAnchor:
    """An endpoint that takes seals by POST, one line of JSON each, and answers 2xx when they are kept."""

    readable = False

    def __init__(self, url: str, *, name: str, token: str | None = None, reach: Reach = PUBLIC) -> None:
        self.name = name
        self._url = url
        self._reach = reach
        self._headers = {"content-type": "application/x-ndjson"}
        if token:
            self._headers["authorization"] = f"Bearer {token}"

    async def put(self, seals: Sequence[Seal]) -> None:
        """Post; what was posted before may come again."""
        try:
            async with asyncio.timeout(PATIENCE), caller(self._reach, timeout=PATIENCE) as client:
                answer = await client.post(self._url, content=b"".join(map(line_of, seals)), headers=self._headers)
        except TimeoutError:
            raise AnchorFailed("it does not answer") from None
        except HTTPError as error:
            raise AnchorFailed(str(out_of_reach(error) or type(error).__name__)) from error
        if not answer.is_success:
            raise AnchorFailed(f"it answered {answer.status_code}")

    async def last(self) -> Seal | None:
        """Tell nothing: such an anchor only listens."""
        return None


class SyslogAnchor:
    """The system log, or one on another host: a message a seal."""

    readable = False

    def __init__(self, address: str) -> None:
        self.name = f"syslog {address}"
        host, colon, port = address.rpartition(":")
        if address.startswith("/"):
            self._address: str | tuple[str, int] = address
        else:
            self._address = (host, int(port)) if colon else (address, SYSLOG_UDP_PORT)

    async def put(self, seals: Sequence[Seal]) -> None:
        """Send; nobody answers, so only a system log that is not there is noticed."""
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.to_thread(self._send, [line_of(seal) for seal in seals])
        except TimeoutError:
            raise AnchorFailed("it does not take anything") from None
        except OSError as error:
            raise AnchorFailed(error.strerror or type(error).__name__) from error

    def _send(self, lines: Sequence[bytes]) -> None:
        log = _LoudSysLog(self._address, SysLogHandler.LOG_AUTHPRIV)
        log.ident = "samhandling: "
        try:
            for line in lines:
                text = line.decode().rstrip()
                log.emit(logging.LogRecord("audit", logging.INFO, __file__, 0, text, None, None))
        finally:
            log.close()

    async def last(self) -> Seal | None:
        """Tell nothing: such an anchor only listens."""
        return None


class _LoudSysLog(SysLogHandler):
    """The standard library's way to the system log, which says when it cannot be reached."""

    def __init__(self, address: str | tuple[str, int], facility: int) -> None:
        kind = None if isinstance(address, str) else socket.SOCK_DGRAM
        super().__init__(address, facility, kind)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the library's own
        raise  # noqa: PLE0704 - it is called while the error is handled
