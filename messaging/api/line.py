"""What connections are told and keep count with: what a request sees of its line, and how fast its body comes."""

from __future__ import annotations

import asyncio
import fcntl
import termios
from collections.abc import Callable

from uvicorn.server import ServerState

from messaging.model.manners import Manners


class Shared(ServerState):
    """What all connections of a process share."""

    leaving = False
    """Whether the server stops: each connection then ends with its next answer."""


def has_come(transport: asyncio.Transport) -> bool:
    """Tell whether bytes have arrived on a connection that nobody has read yet."""
    line = transport.get_extra_info("socket")
    waiting = bytearray(4)
    if line is None or line.fileno() < 0:
        return False
    fcntl.ioctl(line.fileno(), termios.FIONREAD, waiting)
    return any(waiting)


class Line:
    """What a request may do with its connection: write, and leave it."""

    def __init__(self, transport: asyncio.Transport, leave: Callable[[], None]) -> None:
        self._transport = transport
        self._leave = leave
        self.write = transport.write
        self.is_closing = transport.is_closing

    def close(self) -> None:
        """End the connection."""
        self._leave()


class Reading:
    """A body on its way: how much has come, and for how long we have waited for it (seconds)."""

    def __init__(self, now: float) -> None:
        self._waited = 0.0
        self._since: float | None = now
        self._came = 0

    def take(self, size: int, now: float, *, paused: bool) -> None:
        """Count a piece; from now on we may not be reading."""
        self._came += size
        self._stand(now, stopped=paused)

    def _stand(self, now: float, *, stopped: bool) -> None:
        if self._since is not None:
            self._waited += now - self._since
        self._since = None if stopped else now

    def seconds_left(self, now: float, manners: Manners, *, stopped: bool) -> float:
        """Tell how long to wait before the next look; 0 when the body has been too slow.

        It has `body_seconds`, and after those as long as it keeps to `slowest_bytes` in a second.
        """
        if stopped:
            self._since = None
            return manners.body_seconds
        self._stand(now, stopped=False)
        due = max(manners.body_seconds, self._came / manners.slowest_bytes)
        return max(0.0, due - self._waited)
