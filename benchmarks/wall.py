"""What the second wall costs on PostgreSQL: documents accepted and messages read per second, with it and without.

`python -m benchmarks.wall SERVER_URL [--rounds 7] [--seconds 3]`: SERVER_URL is a superuser's. Without the wall the
server connects as that superuser, whom row-level security does not bind, and does not say whose eyes it looks with.
Both take turns on the same core, each on a new database; what counts is the ratio within a round.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from uuid import uuid4

import asyncpg
from sqlalchemy.engine import make_url

from benchmarks.load import document_of, drive, posts
from benchmarks.trust import served
from messaging.store import migrate
from messaging.store.session import Database

_ROLE = "samhandling_benchmark"


async def prepare(server_url: str) -> tuple[str, str]:
    """Make a new database with its tables; gives its URL as its owner has it, and as the application has it."""
    name = f"benchmark_{uuid4().hex}"
    connection = await asyncpg.connect(server_url)
    await connection.execute(
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{_ROLE}') "
        f"THEN CREATE ROLE {_ROLE} LOGIN PASSWORD '{_ROLE}'; END IF; END $$"
    )
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    own = make_url(server_url).set(database=name)
    urls = [url.render_as_string(hide_password=False) for url in (own, own.set(username=_ROLE, password=_ROLE))]
    owner, application = (Database(url, pool_size=2) for url in urls)
    await migrate.upgrade(application, owner=owner)
    for opened in (application, owner):
        await opened.close()
    return urls[0], urls[1]


async def message_between(url: str) -> str:
    """Name one message that was accepted."""
    connection = await asyncpg.connect(url)
    found = await connection.fetchval("SELECT id FROM message ORDER BY received_at DESC LIMIT 1")
    await connection.close()
    return str(found)


def reads(path: str, headers: dict[str, str]) -> Callable[[], bytes]:
    """Make GET requests of one path."""
    said = {"Host": "127.0.0.1", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    request = f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()
    return lambda: request


def measured(server_url: str, *, wall: bool, seconds: float) -> tuple[float, float]:
    """Tell how many documents one server accepts each second, and how many messages it reads."""
    owner_url, url = asyncio.run(prepare(server_url))
    without = ("sealing",) if wall else ("sealing", "wall")
    _, document = document_of(4_000)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(url if wall else owner_url, Path(folder), without) as told,
    ):
        key = {"Authorization": f"Bearer {told['key']}"}
        host, port = told["host"], told["port"]
        make = posts("/documents", key, document)
        asyncio.run(drive(host, port, make, seconds=seconds / 3))
        accepted = asyncio.run(drive(host, port, make, seconds=seconds)).per_second(202)
        edi = key | {"api-version": "3", "nhn-source-system": "benchmark"}
        get = reads(f"/messages/{asyncio.run(message_between(owner_url))}", edi)
        asyncio.run(drive(host, port, get, seconds=seconds / 3))
        return accepted, asyncio.run(drive(host, port, get, seconds=seconds)).per_second(200)


def main() -> None:
    """Print both figures with and without the wall, and their ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3)
    asked = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ["SAMHANDLING_RECEIPT_WITHIN_HOURS"] = "1000000"  # the fixtures are old, and would raise an alarm each
    rounds = []
    for number in range(asked.rounds):
        order = (False, True) if number % 2 else (True, False)
        told = {wall: measured(asked.url, wall=wall, seconds=asked.seconds) for wall in order}
        rounds.append((told[False], told[True]))
    for place, what in enumerate(("accepted", "read")):
        without, walled = ([one[side][place] for one in rounds] for side in (0, 1))
        ratio = median(b / a for a, b in zip(without, walled, strict=True))
        print(f"{what:9} {median(without):6.0f}/s without, {median(walled):6.0f}/s with the wall: {ratio:.3f}")


if __name__ == "__main__":
    main()
