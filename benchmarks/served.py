"""A server for the benchmarks, with parts of trust left out: `python -m benchmarks.served FOLDER URL [PART …]`.

Only here can authentication or encryption be left out, by putting another piece in its place in this process; the
product has no such switch. Prints one line of JSON when it answers: host, port, and the hospital's key.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import fixtures
from messaging.api import door
from messaging.app import create_app
from messaging.demo.serving import listen, serving
from messaging.flow import clients
from messaging.keys import Sealed, Vault
from messaging.keys.payload import DEFLATE
from messaging.model.party import Client
from messaging.settings import Settings
from messaging.store import session

HOSPITAL = next(client for client in fixtures.clients() if client.name == "sykehus")


async def run(folder: Path, url: str, without: set[str]) -> None:
    """Serve until told to stop."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if "authentication" in without:
        door.authenticate = _anybody
    if "encryption" in without:
        Vault.seal = _packed  # type: ignore[method-assign]
    if "wall" in without:
        session.look_with = _unwalled
    sealed = {"audit_seal_seconds": 0} if "sealing" in without else {}
    settings = Settings(database_url=url, key_file=folder / "key", requests_per_second=0, **sealed)
    with listen("127.0.0.1", 0) as socket:
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            exchange = app.state.exchange
            await clients.register_parties(exchange, fixtures.parties(), actor="benchmark")
            name = f"hospital-{os.getpid()}"
            client = replace(HOSPITAL, id=name, name=name)
            key = await clients.register_client(exchange, client, actor="benchmark")
            async with serving(app, exchange, socket, stop, settings.manners()):
                told = {"host": "127.0.0.1", "port": socket.getsockname()[1], "key": key, "pid": os.getpid()}
                print(json.dumps(told), flush=True)
                await stop.wait()


def _packed(vault: Vault, content: bytes, _about: object) -> Sealed:
    """Compress a document, and leave it readable."""
    return Sealed(DEFLATE, zlib.compress(content, 1), vault.current, b"")


async def _unwalled(*_: object) -> None:
    return None


async def _anybody(*_: object) -> Client:
    return HOSPITAL


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2], set(sys.argv[3:])))
