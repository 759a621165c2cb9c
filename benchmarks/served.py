"""A server for the benchmarks, with parts of trust left out: `python -m benchmarks.served FOLDER URL [PART …]`.

Two parts are added instead of left out: `crowd`, a client with 1,500 HER-ids, and `routes:PORT`, fifty far sides there.
Only here can authentication or encryption be left out, by putting another piece in its place in this process; the
product has no such switch. Prints one line of JSON when it answers: host, port, and keys.
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
from uuid import uuid4

import uvloop

import fixtures
from benchmarks import routes
from benchmarks.cycles import CROWD
from messaging.api import documents, door
from messaging.app import create_app
from messaging.demo.serving import listen, serving
from messaging.flow import clients
from messaging.flow.exchange import Exchange
from messaging.flow.receive import Handed, Taken, judge
from messaging.keys import Sealed, Vault
from messaging.keys.payload import DEFLATE
from messaging.model.party import Client, Party
from messaging.settings import Settings
from messaging.store import wall

HOSPITAL = next(client for client in fixtures.clients() if client.name == "sykehus")


async def run(folder: Path, url: str, without: set[str]) -> None:
    """Serve until told to stop."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if "authentication" in without:
        door.authenticate = _anybody
    if "encryption" in without:
        Vault.seal = _packed  # type: ignore[method-assign]
    if "keeping" in without:
        documents.receive = _judged
    if "wall" in without:
        wall.begin_to_look, wall.begin_to_write = lambda _sight: "BEGIN READ ONLY", lambda _sight: "BEGIN"
    sealed = {"audit_seal_seconds": 0} if "sealing" in without else {}
    settings = Settings(database_url=url, key_file=folder / "key", requests_per_second=0, **sealed)
    far = next((int(part.removeprefix("routes:")) for part in without if part.startswith("routes:")), None)
    if far is not None:
        settings = routes.pushing(settings, far)
    with listen("127.0.0.1", 0) as socket:
        app = create_app(settings, alone=True)
        async with app.router.lifespan_context(app):
            exchange = app.state.exchange
            await clients.register_parties(exchange, fixtures.parties(), actor="benchmark")
            keys = {name: await _key(exchange, name) for name in ("sykehus", "kommune", "lege")}
            if far is not None:
                await clients.register_parties(exchange, routes.parties(), actor="benchmark")
            if "crowd" in without:
                keys["region"] = await _region(exchange)
            async with serving(app, exchange, socket, stop, settings.manners()):
                told = {"host": "127.0.0.1", "port": socket.getsockname()[1], "pid": os.getpid()}
                told |= {"key": keys["sykehus"], "keys": keys}
                print(json.dumps(told), flush=True)
                await stop.wait()


async def _key(exchange: Exchange, name: str) -> str:
    """Register a client that may do what one of the fixtures may, for this process; gives its key."""
    one = next(client for client in fixtures.clients() if client.name == name)
    own = f"{name}-{os.getpid()}"
    return await clients.register_client(exchange, replace(one, id=own, name=own), actor="benchmark")


async def _region(exchange: Exchange) -> str:
    """Register a client that acts for as many parties as one call may name; gives its key."""
    await clients.register_parties(exchange, [Party(one, f"Party {one}") for one in CROWD], actor="benchmark")
    region = Client(id="region", name="region", her_ids=frozenset(CROWD))
    return await clients.register_client(exchange, region, actor="benchmark")


def _packed(vault: Vault, content: bytes, _about: object) -> Sealed:
    """Compress a document, and leave it readable."""
    return Sealed(DEFLATE, zlib.compress(content, 1), vault.current, b"")


async def _judged(exchange: Exchange, _actor: Client, handed: Handed) -> Taken:
    """Read a document and judge it by every rule, and keep nothing of it: the limit of what a server here can do."""
    verdict = await judge(exchange, handed.content)
    if verdict.envelope is None:
        raise ValueError("the benchmark's document is refused")
    return Taken(uuid4(), exchange.clock(), verdict.envelope)


async def _anybody(*_: object) -> Client:
    return HOSPITAL


if __name__ == "__main__":
    uvloop.run(run(Path(sys.argv[1]), sys.argv[2], set(sys.argv[3:])))
