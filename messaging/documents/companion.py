"""A process beside ours that may be killed: what is sent to it in frames, and what it answers in lines."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
import weakref
from contextlib import ExitStack
from typing import IO, Any, cast

from messaging.documents.apart import command, framed
from messaging.documents.catalogue import Catalogue

STARTING = 20.0
"""Seconds that a process may take to load the schemas."""

_CHUNK = 65_536


class Companion:
    """A process of our own that loads the catalogue's schemas and then answers documents, each with a line of JSON."""

    def __init__(self, module: str, catalogue: Catalogue) -> None:
        self._open = ExitStack()
        self._began = time.monotonic()
        self._ready = False
        self._read = b""
        self._popen = subprocess.Popen(  # noqa: S603 - our own module
            command(module),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._into, self._out = (cast("IO[bytes]", end).fileno() for end in (self._popen.stdin, self._popen.stdout))
        self._end = weakref.finalize(self, _end, self._popen, self._open)
        self._send(self._open.enter_context(catalogue.driver()))

    def ready(self, until: float) -> bool:
        """Wait so long for the schemas to be loaded."""
        self._ready = self._ready or self._line(until) is not None
        return self._ready

    def is_late(self) -> bool:
        """Tell whether it has ended, or should have been ready long ago."""
        return self._popen.poll() is not None or time.monotonic() > self._began + STARTING

    def ask(self, content: bytes, until: float) -> Any:
        """Have a document looked at; None when there is no answer by then."""
        self._send(content)
        line = self._line(until)
        return None if line is None else json.loads(line)

    def kill(self) -> None:
        """End it, whatever it does."""
        self._end()

    def _send(self, content: bytes) -> None:
        """Write a frame; it is always waited for, so that writing does not stop half-way."""
        frame = memoryview(framed(content))
        try:
            while frame:
                frame = frame[os.write(self._into, frame) :]
        except BrokenPipeError:
            return

    def _line(self, until: float) -> bytes | None:
        while b"\n" not in self._read:
            left = until - time.monotonic()
            readable = select.select([self._out], [], [], max(0.0, left))[0]
            part = os.read(self._out, _CHUNK) if readable else b""
            if not part:
                return None
            self._read += part
        line, _, self._read = self._read.partition(b"\n")
        return line


def _end(process: subprocess.Popen[bytes], opened: ExitStack) -> None:
    process.kill()
    with process, opened:
        pass
