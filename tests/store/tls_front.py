"""TLS before the tests' PostgreSQL, which speaks none: it answers SSLRequest as it does, and passes the rest on."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.engine import URL

from certificates import Pair

_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
_PORT = 5432


class Front:
    """One listening address; it counts who came in by TLS."""

    def __init__(self, behind: URL, pair: Pair | None, folder: Path) -> None:
        self.encrypted = 0
        self.arrived = asyncio.Event()
        self.port = 0
        self._behind = behind
        self._context: ssl.SSLContext | None = None
        if pair is not None:
            file = folder / "server.pem"
            file.write_text(pair.pem + pair.key)
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(file)

    async def _behind_it(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        folder = self._behind.query.get("host")
        if self._behind.host:
            return await asyncio.open_connection(self._behind.host, self._behind.port or _PORT)
        return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{self._behind.query.get('port', _PORT)}")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one connection."""
        try:
            first = await reader.readexactly(8)
            if first == _SSL_REQUEST:
                writer.write(b"S" if self._context else b"N")
                if self._context is None:
                    return
                await writer.start_tls(self._context)
                self.encrypted += 1
                self.arrived.set()
                first = b""
            behind, ahead = await self._behind_it()
            ahead.write(first)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pass(reader, ahead))
                both.create_task(_pass(behind, writer))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(65_536):
        target.write(piece)
        await target.drain()
    target.close()


@asynccontextmanager
async def front(behind: URL, pair: Pair | None, folder: Path) -> AsyncIterator[Front]:
    """Listen on the loopback, with a certificate or (None) without TLS."""
    made = Front(behind, pair, folder)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made
