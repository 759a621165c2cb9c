"""The HTTP server: uvicorn with connections of our own, in one process or several, and an end that cuts nobody off."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterable
from functools import partial
from typing import Any, cast

import uvicorn
from uvicorn.supervisors import multiprocess

from messaging.api.connection import Connection
from messaging.api.line import Shared
from messaging.api.listening import admit_nobody_new, queued
from messaging.flow.collect import end_streams
from messaging.model.manners import Manners

_HANDSHAKE_SECONDS = 0.25
"""So long those have to come in who have begun to connect when the server stops.

Whoever stops a service may tell all its processes at once; the one that looks after the others then closes within this.
"""


def configured(app: Any, manners: Manners, **given: Any) -> uvicorn.Config:
    """Configure uvicorn for an application, or for its name: no banner, no word on the caller but ours."""
    return uvicorn.Config(
        app,
        http=cast("Any", partial(Connection, manners)),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=cast("Any", manners.idle_seconds),
        **given,
    )


def serve(config: uvicorn.Config, listening: socket.socket | None = None) -> None:
    """Serve until told to stop, in as many processes as are configured; on a socket that is bound already, if given.

    Raises SystemExit when the start fails.
    """
    if config.workers == 1:
        Server(config).run(sockets=[listening] if listening else None)
    else:
        _Several(config, sockets=[listening or config.bind_socket()]).run()


class Server(uvicorn.Server):
    """One process of the server. When it stops, whoever has come in is answered, and who only waits is let go."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._shared = Shared()
        self.server_state = self._shared

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connections; end the endless answers; let the others finish."""
        self._shared.leaving = True
        exchange = self.lifespan.state.get("exchange")
        if exchange is not None:
            end_streams(exchange)
        if self.config.workers == 1:
            for listening in self._listening():
                admit_nobody_new(listening)
        await asyncio.sleep(_HANDSHAKE_SECONDS)
        waiting = [one for listening in self._listening() for one in queued(listening)]
        for open_one in (*self.servers, *(sockets or ())):
            open_one.close()
        await self._take_in(waiting)
        await super().shutdown(sockets)

    def _listening(self) -> list[Any]:
        return [one for server in self.servers for one in server.sockets]

    async def _take_in(self, waiting: Iterable[socket.socket]) -> None:
        """Serve connections that the kernel made for us, and that would be torn down with the listening socket."""
        protocol = partial(
            cast("Any", self.config.http_protocol_class),
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        for one in waiting:
            await asyncio.get_running_loop().connect_accepted_socket(protocol, one)


class _Process(multiprocess.Process):
    """One of several processes, whose server is ours."""

    @property
    def server(self) -> Server:
        """The server that runs in it."""
        if self._server is None:
            self._server = Server(self.config)
        return cast("Server", self._server)

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve. Our copy of the other end is closed, or we would never see that nobody holds it any more."""
        self.parent_conn.close()
        super().target(sockets)

    def always_pong(self) -> None:
        """Answer the process that looks after us, and stop when it is gone."""
        try:
            super().always_pong()
        except (EOFError, OSError):
            self.server.should_exit = True


multiprocess.Process = _Process  # type: ignore[misc] # the supervisor makes them by this name


class _Several(multiprocess.Multiprocess):
    """Several processes that serve one socket."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def _stop(self, number: int, _frame: object) -> None:
        self._let_go()
        self.signal_queue.append(number)

    def _let_go(self) -> None:
        """Let nobody new in, and close the socket before the processes do: they take in who has connected."""
        for listening in self.sockets:
            if listening.fileno() >= 0:
                admit_nobody_new(listening)
                listening.close()

    def terminate_all(self) -> None:
        """Stop all processes."""
        self._let_go()
        super().terminate_all()
