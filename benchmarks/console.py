"""How long the console's pages take over a million messages: `python -m benchmarks.console [SERVER_URL]`.

Fills a new SQLite file, and with the URL of a PostgreSQL server (a superuser's) a new database there, as
benchmarks/filled.py tells, and asks for every page as an operator and as the busiest hospital's own. The application is
whole, with its watch and its sealer beside; a page is ready when its answer is complete. With `--explain` the slowest
statement of each page that misses the goal is printed, as the database would carry it out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import asyncpg
from fastapi.routing import APIRoute
from pydantic import SecretStr
from sqlalchemy import event, func, select
from sqlalchemy.engine import make_url

from benchmarks.filled import FAR, OPERATOR, client_of, fill
from benchmarks.wall import prepare
from messaging import logs
from messaging.app import bring_up_to_date, create_app, open_exchange
from messaging.console import router
from messaging.flow import clients
from messaging.flow.exchange import Exchange
from messaging.http import ASGITransport, AsyncClient
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import tables as t

GOAL = 0.3
_HOSPITAL = client_of(0)
_NOT_ASKED = {"/console/static/{name}": "a file", "/console/live": "a stream without an end"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A page that is asked for; `path` is that of its route."""

    path: str
    query: str = ""
    overseers: bool = False

    @property
    def name(self) -> str:
        return self.path + self.query


async def pages(exchange: Exchange) -> tuple[dict[str, str], list[Asked]]:
    """Choose what to ask for: every page, the lists with each of their filters; and what stands in the paths."""
    her_id = min(_HOSPITAL.her_ids) + 1
    async with exchange.database.read(EVERYTHING) as tx:
        some = (await tx.execute(_some_messages(her_id))).first()
        deep = (await tx.execute(_some_messages(her_id).offset(200))).first()
    if some is None or deep is None:
        raise SystemExit("There are too few messages to ask for.")
    month_ago = f"{deep.received_at:%Y-%m-%dT%H:%M}"
    filters = ({"state": "failed"}, {"state": "rejected"}, {"state": "waiting"}, {"state": "closed"})
    filters += ({"state": "acknowledged"}, {"overdue": "true"}, {"type": some.type}, {"type": "NOSUCH"})  # type: ignore[assignment]
    filters += ({"party": str(her_id)}, {"id": some.msg_id}, {"id": str(some.id)}, {"to": month_ago})  # type: ignore[assignment]
    logged = ({"event": "delivery.acknowledged"}, {"event": "person"}, {"party": str(her_id)}, {"to": month_ago})
    logged += ({"actor": _HOSPITAL.id}, {"id": some.msg_id})  # type: ignore[assignment]
    asked = [Asked(path) for path in ("", "/charts/day.svg", "/charts/month.svg", "/messages", "/messages.csv")]
    asked += [Asked("/messages", f"?{urlencode(one)}") for one in filters]
    asked += [Asked(f"/messages/{{message_id}}{more}") for more in ("", "/trail.html")]
    asked += [Asked(f"/messages/{{message_id}}/proof{more}", overseers=True) for more in ("", ".json")]
    asked += [Asked("/conversations/{any_id}"), Asked("/parties"), Asked("/parties/{number}"), Asked("/audit")]
    asked += [Asked("/alarms")]
    asked += [Asked(path, f"?{urlencode(one)}") for path in ("/audit", "/audit/readings") for one in logged]
    asked += [Asked("/audit/readings")]
    asked += [Asked(path, overseers=True) for path in ("/routes", "/routes-resend", "/audit/seals")]
    told = {"message_id": str(some.id), "any_id": some.conversation_id, "number": str(her_id)}
    return told, [Asked(f"/console{one.path}", one.query, one.overseers) for one in asked]


def _some_messages(her_id: int) -> Any:
    own = select(t.message).where(t.message.c.sender_her_id == her_id, t.message.c.conversation_id.is_not(None))
    return own.order_by(t.message.c.received_at.desc())


def forgotten(asked: list[Asked]) -> set[str]:
    """Name the console's pages that are not among those asked for."""
    found = [route for route in router.routes if isinstance(route, APIRoute) and "GET" in route.methods]
    known = {one.path for one in asked} | set(_NOT_ASKED)
    return {route.path for route in found if route.path.replace("{name}.svg", "month.svg") not in known}


class Statements:
    """Remembers the slowest statement since it was last asked."""

    def __init__(self, exchange: Exchange) -> None:
        self.slowest: tuple[float, str, Any] = (0.0, "", None)
        engine = exchange.database._readers.sync_engine  # noqa: SLF001 - only here is a statement timed
        event.listen(engine, "before_cursor_execute", self._begins)
        event.listen(engine, "after_cursor_execute", self._ends)

    def _begins(self, _connection: Any, _cursor: Any, _text: str, _values: Any, context: Any, _many: bool) -> None:  # noqa: FBT001
        context.benchmark_began = time.perf_counter()

    def _ends(self, _connection: Any, _cursor: Any, text: str, values: Any, context: Any, _many: bool) -> None:  # noqa: FBT001
        took = time.perf_counter() - context.benchmark_began
        if took > self.slowest[0]:
            self.slowest = (took, text, values)


async def explained(exchange: Exchange, text: str, values: Any) -> str:
    """Let the database say how it carries a statement out, with open eyes."""
    how = "EXPLAIN QUERY PLAN " if exchange.database.is_sqlite else "EXPLAIN (ANALYZE, BUFFERS) "
    async with exchange.database.read(EVERYTHING) as tx:
        rows = (await tx.exec_driver_sql(how + text, values)).all()
    return "\n".join(f"      {row[-1]}" for row in rows)


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[tuple[Exchange, dict[str, AsyncClient]]]:
    """Run the whole application; yields a client for each of those who look."""
    app = create_app(settings)
    async with app.router.lifespan_context(app) as state:
        exchange: Exchange = state["exchange"]
        who: dict[str, Client] = {"operator": OPERATOR, "hospital": _HOSPITAL}
        made = {}
        for name, client in who.items():
            own = f"{client.id}-{uuid4().hex[:8]}"  # a kept database has had others, and a client has two keys at most
            key = await clients.register_client(exchange, replace(client, id=own, name=own), actor="benchmark")
            headers = {"Authorization": f"Bearer {key}"}
            made[name] = AsyncClient(transport=ASGITransport(app), base_url="http://x", headers=headers, timeout=600)
        yield exchange, made
        for one in made.values():
            await one.aclose()


async def measure(settings: Settings, rounds: int, *, explain: bool) -> bool:
    """Print how long each page takes for each of those who look; tells whether all keep to the goal."""
    fine = True
    async with served(settings) as (exchange, lookers):
        told, asked = await pages(exchange)
        if forgotten(asked):
            raise SystemExit(f"Not measured: {', '.join(sorted(forgotten(asked)))}.")
        statements = Statements(exchange) if explain else None
        for one in asked:
            for name, looker in lookers.items():
                if one.overseers and name != "operator":
                    continue
                taken, statuses = [], set()
                path = one.path.format(**told) + one.query
                for number in range(rounds):
                    began = time.perf_counter()
                    answer = await looker.get(path)
                    taken.append(time.perf_counter() - began)
                    statuses.add(answer.status_code)
                    if number and sum(taken) > 20:  # noqa: PLR2004 - one that takes so long needs no more
                        break
                taken.sort()
                middle, most = taken[len(taken) // 2], taken[min(len(taken) - 1, round(len(taken) * 0.95))]
                late = most > GOAL
                fine &= not late and statuses == {200}
                remark = " LATE" if late else ""
                remark += "" if statuses == {200} else f" {sorted(statuses)}"
                shown = (one.path + one.query)[:60]
                print(f"  {name:9} {shown:60} {middle * 1e3:7.0f} {most * 1e3:7.0f} ms{remark}", flush=True)
                if statements and late:
                    took, text, values = statements.slowest
                    print(f"    {took * 1e3:.0f} ms: {' '.join(text.split())}\n    {values}")
                    print(await explained(exchange, text, values), flush=True)
                if statements:
                    statements.slowest = (0.0, "", None)
    return fine


async def run(url: str, owner_url: str, folder: Path, given: argparse.Namespace) -> bool:
    """Fill a database, unless it is filled already, and measure."""
    settings = Settings(
        database_url=url, key_file=folder / "key", requests_per_second=0, failures_per_minute=0, adapters=FAR
    )
    owner = {} if owner_url == url else {"migration_url": SecretStr(owner_url)}
    await bring_up_to_date(settings.model_copy(update=owner))
    async with open_exchange(settings) as exchange, exchange.database.read(EVERYTHING) as tx:
        filled = bool(await tx.scalar(select(func.count()).select_from(select(t.message.c.id).limit(1).subquery())))
    print(f"{make_url(url).get_backend_name()}", flush=True)
    if not filled:
        await fill(settings, owner_url, given.messages)
    return await measure(settings, given.rounds, explain=given.explain)


def _prepared(server_url: str, kept: Path) -> tuple[str, str]:
    """Give a database's URL as its owner has it and as the application has it: the kept one, or a new one."""
    if not kept.exists():
        kept.write_text(json.dumps(asyncio.run(prepare(server_url))))
    owner_url, url = json.loads(kept.read_text())
    return owner_url, url


async def _drop(server_url: str, url: str) -> None:
    connection = await asyncpg.connect(server_url)
    await connection.execute(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')
    await connection.close()


def main() -> int:
    """Measure on every database that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", help="a PostgreSQL server, as a superuser")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--explain", action="store_true")
    parser.add_argument("--no-sqlite", action="store_true")
    parser.add_argument("--keep", type=Path, help="a folder that keeps the databases for the next time")
    given = parser.parse_args()
    os.nice(5)
    logs.write_to(sys.stderr, level="error", form=None)
    fine = True
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        for part in ("sqlite", "postgresql"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        if not given.no_sqlite:
            url = f"sqlite:///{folder}/benchmark.db"
            fine &= asyncio.run(run(url, url, folder / "sqlite", given))
        if given.url:
            owner_url, url = _prepared(given.url, folder / "urls")
            try:
                fine &= asyncio.run(run(url, owner_url, folder / "postgresql", given))
            finally:
                if given.keep is None:
                    asyncio.run(_drop(given.url, url))
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
