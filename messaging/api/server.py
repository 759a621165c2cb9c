"""The HTTP server, and its good manners when it stops."""

from __future__ import annotations

import socket

import uvicorn

from messaging.flow.collect import end_streams


class Server(uvicorn.Server):
    """When it stops, it ends the endless streams before it waits for the requests under way.

    It finds the exchange in the lifespan's state, under `exchange`.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: end the streams, let the other requests finish, end the lifespan."""
        exchange = self.lifespan.state.get("exchange")
        if exchange is not None:
            end_streams(exchange)
        await super().shutdown(sockets)
