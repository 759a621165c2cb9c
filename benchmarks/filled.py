"""A database with a million messages, quickly: the real flow plays each course that a message can take a few times, and
its rows are multiplied with other ids, parties and times.

So every row is shaped as the flow shapes it, whatever that comes to be. Documents are the exception: each is left with
a few bytes, but for negative AppRecs, which lists open to say what their receivers wrote, and what is in line for a
route; those are encrypted one by one. Sealing and counting are done by the real sealer and the real counter.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import Table, func, select

import fixtures
from messaging.app import open_exchange
from messaging.errors import Refused
from messaging.flow import acknowledge, clients, collect, overview, receive, resend, watch
from messaging.flow.acknowledge import Answer
from messaging.flow.deliver import RouteWorker
from messaging.flow.exchange import Exchange
from messaging.flow.opening import document_of
from messaging.flow.receive import Handed
from messaging.flow.seal import Sealer
from messaging.keys import About, Sealed, Vault
from messaging.model.access import Role
from messaging.model.lifecycle import State
from messaging.model.party import Client, Party, PartyKind
from messaging.model.receipt import ReceiptError, ReceiptStatus
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.spi import Deferred
from messaging.store import tables as t
from messaging.store import tables_of_keys as keys
from messaging.store.payloads import MESSAGE

OPERATOR = Client(id="benchmark-operator", name="benchmark-operator", role=Role.OPERATOR)
FAR = {"far": {"kind": "memory"}}
_KNOWN = {client.name: client for client in fixtures.clients()}
_HOSPITAL, _MUNICIPALITY = _KNOWN["sykehus"], _KNOWN["kommune"]
_SENDER, _RECEIVER = 8100001, 8110001
_DOCUMENTS = ("plo/1.6/log_innlagt_n", "plo/1.6/log_utskrevet_n")
_BYTES_OF_A_DOCUMENT = 64
_BACK = timedelta(days=90)
_AT_A_TIME = 5_000
HOSPITALS, MUNICIPALITIES, SERVICES = 10, 50, 3
_FIRST = 8_140_000
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Clock:
    """A clock that the play moves on."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a course is played."""

    exchange: Exchange
    clock: Clock
    document: bytes

    async def send(self) -> UUID:
        now = self.clock().isoformat().encode()
        content = re.sub(rb"(<(?:\w+:)?GenDate>)[^<]+", rb"\g<1>" + now, self.document, count=1)
        content = re.sub(rb"(<(?:\w+:)?MsgId>)[^<]+", rb"\g<1>" + str(uuid4()).encode(), content, count=1)
        return (await receive.receive(self.exchange, _HOSPITAL, Handed(content, "edi", "EPJ, 1.0"))).message_id

    async def collect(self, message_id: UUID) -> None:
        self.clock.forward(minutes=3)
        await collect.document(self.exchange, _MUNICIPALITY, message_id, door="edi")
        await collect.mark_downloaded(self.exchange, _MUNICIPALITY, message_id, _RECEIVER)

    async def answer(self, message_id: UUID, status: ReceiptStatus) -> None:
        self.clock.forward(minutes=40)
        errors = (ReceiptError("E36"),) if status is ReceiptStatus.REJECTED else ()
        said = Answer(_RECEIVER, status, errors)
        taken = await acknowledge.acknowledge(self.exchange, _MUNICIPALITY, message_id, said, door="edi")
        await collect.mark_downloaded(self.exchange, _HOSPITAL, taken.message_id, _SENDER)

    async def empty(self) -> None:
        """Take everything off the queues of notifications, as systems do."""
        for client, her_id in ((_HOSPITAL, _SENDER), (_MUNICIPALITY, _RECEIVER)):
            unread = await collect.unread(self.exchange, client, [her_id], limit=500)
            await collect.delete_notifications(self.exchange, client, [row["id"] for row in unread])

    async def delivery_of(self, message_id: UUID) -> UUID:
        kept = await collect.message(self.exchange, OPERATOR, message_id, door="console")
        found: UUID = kept.deliveries[0]["id"]
        return found

    async def work(self, times: int, *, fails: bool) -> None:
        adapter: Any = self.exchange.adapters["far"]
        for _ in range(times):
            adapter.outcomes.extend([Deferred("connection refused")] if fails else [])
            await RouteWorker(self.exchange, "far", adapter, actor="worker").work_once()
            self.clock.forward(hours=24 if fails else 0.01)


async def waiting(stage: Stage) -> None:
    await stage.send()


async def collected(stage: Stage) -> None:
    await stage.collect(await stage.send())


async def acknowledged(stage: Stage) -> None:
    message_id = await stage.send()
    await stage.collect(message_id)
    await stage.answer(message_id, ReceiptStatus.OK)
    await stage.empty()


async def rejected(stage: Stage) -> None:
    message_id = await stage.send()
    await stage.collect(message_id)
    await stage.answer(message_id, ReceiptStatus.REJECTED)
    await stage.empty()


async def handled(stage: Stage) -> None:
    message_id = await stage.send()
    await stage.collect(message_id)
    await stage.answer(message_id, ReceiptStatus.REJECTED)
    await resend.handle(stage.exchange, OPERATOR, await stage.delivery_of(message_id), note="called the ward")
    await stage.empty()


async def overdue(stage: Stage) -> None:
    await stage.collect(await stage.send())
    stage.clock.forward(hours=100)
    await watch.raise_alarms(stage.exchange)


async def refused(stage: Stage) -> None:
    broken = stage.document.replace(b"</MsgHead>", b"")
    try:
        await receive.receive(stage.exchange, _HOSPITAL, Handed(broken, "edi", "EPJ, 1.0"))
    except Refused:
        return
    raise SystemExit("a broken document was taken")


async def pending(stage: Stage) -> None:
    await stage.send()


async def sent(stage: Stage) -> None:
    await stage.send()
    await stage.work(1, fails=False)


async def given_up(stage: Stage) -> None:
    await stage.send()
    await stage.work(12, fails=True)
    await watch.raise_alarms(stage.exchange)


async def closed(stage: Stage) -> None:
    message_id = await stage.send()
    await stage.work(12, fails=True)
    await resend.close(stage.exchange, OPERATOR, await stage.delivery_of(message_id), note="sent on paper")


@dataclass(frozen=True, slots=True)
class Course:
    """What can become of a message, how often of a thousand, and how many days ago it may have begun."""

    play: Callable[[Stage], Awaitable[None]]
    of_a_thousand: float
    days: tuple[float, float] = (0.2, 89)


IN_HOUSE = (
    Course(acknowledged, 950.0),
    Course(handled, 8.0),
    Course(rejected, 0.5, (0.1, 3)),
    Course(waiting, 6.0, (0.0, 0.5)),
    Course(collected, 12.0, (0.01, 2)),
    Course(overdue, 0.6, (4.2, 10)),
    Course(refused, 8.0, (0.0, 29)),
)
BY_ROUTE = (
    Course(pending, 0.2, (0.0, 0.01)),
    Course(sent, 5.0, (0.01, 2)),
    Course(given_up, 0.3, (0.1, 3)),
    Course(closed, 2.0),
)


@dataclass(slots=True)
class Template:
    """The rows of one course as it was played, and what in them changes from one copy to the next."""

    course: Course
    began: datetime
    lasted: timedelta
    rows: list[tuple[Table, dict[str, Any]]]
    ids: list[UUID] = field(default_factory=list)
    documents: dict[UUID, tuple[bytes, int]] = field(default_factory=dict)
    """What is opened while the pages are measured, by lists and by workers: by its message, and who sent it."""


async def _marks(exchange: Exchange) -> tuple[int, int]:
    async with exchange.database.read(EVERYTHING) as tx:
        lines = await tx.scalar(select(func.coalesce(func.max(t.audit.c.id), 0)))
        told = await tx.scalar(select(func.coalesce(func.max(t.notification.c.position), 0)))
        return int(lines or 0), int(told or 0)


async def _played(exchange: Exchange, clock: Clock, course: Course, document: bytes) -> Template:
    """Play a course, and read back all rows that it has made."""
    lines, told = await _marks(exchange)
    clock.forward(days=30)
    began = clock()
    await course.play(Stage(exchange, clock, document))
    found: list[tuple[Table, dict[str, Any]]] = []

    async with exchange.database.read(EVERYTHING) as tx:

        async def add(table: Table, *conditions: Any) -> list[dict[str, Any]]:
            rows = [dict(row) for row in (await tx.execute(select(table).where(*conditions))).mappings()]
            found.extend((table, row) for row in rows)
            return rows

        messages = set(await tx.scalars(select(t.message.c.id).where(t.message.c.received_at >= began)))
        about = t.audit.c.message_id.is_(None) | t.audit.c.message_id.in_(messages)
        logged = await add(t.audit, t.audit.c.id > lines, about)
        await add(t.notification, t.notification.c.position > told, t.notification.c.message_id.in_(messages))
        refusals = {UUID(line["detail"]["refusal"]) for line in logged if "refusal" in line["detail"]}
        await add(t.accepted, t.accepted.c.id.in_(messages))
        await add(t.message, t.message.c.id.in_(messages))
        delivered = await add(t.delivery, t.delivery.c.message_id.in_(messages))
        await add(t.attempt, t.attempt.c.delivery_id.in_([row["id"] for row in delivered]))
        await add(t.payload, t.payload.c.message_id.in_(messages))
        await add(t.refusal, t.refusal.c.id.in_(refusals))
        await add(keys.payload_key, keys.payload_key.c.content_id.in_(messages | refusals))
    documents = {}
    for one in delivered:
        if one["receipt_status"] == ReceiptStatus.REJECTED.value:
            content = await document_of(exchange, EVERYTHING, one["receipt_message_id"])
            documents[one["receipt_message_id"]] = (content or b"", one["receiver_her_id"])
        if one["state"] == State.PENDING.value:
            documents[one["message_id"]] = (await document_of(exchange, EVERYTHING, one["message_id"]) or b"", _SENDER)
    ids = {value for _, row in found for value in row.values() if isinstance(value, UUID)}
    ids |= {one for _, row in found for value in row.values() if isinstance(value, str) for one in _uuids(value)}
    return Template(course, began, clock() - began, found, sorted(ids), documents)


def _uuids(text: str) -> list[UUID]:
    return [UUID(one) for one in _UUID.findall(text)]


async def templates(settings: Settings, clock: Clock) -> list[Template]:
    """Play every course, with several documents where it is a common one."""
    found = []
    by_route = settings.model_copy(update={"routes": Settings(routes=[{"her_id": _RECEIVER, "to": "far"}]).routes})  # type: ignore[list-item]
    for courses, chosen in ((IN_HOUSE, settings), (BY_ROUTE, by_route)):
        async with open_exchange(chosen, clock=clock) as exchange:
            running = asyncio.create_task(exchange.committer.run())
            await clients.register_parties(exchange, [*fixtures.parties(), *parties()], actor="benchmark")
            for course in courses:
                names = _DOCUMENTS if course.of_a_thousand > 1 else _DOCUMENTS[:1]
                documents = [fixtures.read(f"valid/{name}.xml") for name in names]
                found.extend([await _played(exchange, clock, course, one) for one in documents])
            running.cancel()
    return found


def parties() -> list[Party]:
    """Make up hospitals and municipalities, each with some services."""
    made = []
    for number in range(HOSPITALS + MUNICIPALITIES):
        her_id, kind = _FIRST + number * 100, "Sykehus" if number < HOSPITALS else "Kommune"
        made.append(Party(her_id, f"{kind} {number}", None, PartyKind.ORGANISATION))
        made += [Party(her_id + one, f"{kind} {number}, tjeneste {one}", her_id) for one in range(1, SERVICES + 1)]
    return made


def client_of(number: int) -> Client:
    """Give the client of one organisation, which acts for its services."""
    name = f"organisation-{number}"
    return Client(name, name, Role.PARTY, frozenset(_FIRST + number * 100 + one for one in range(SERVICES + 1)))


@dataclass(slots=True)
class Copy:
    """What one copy has in the place of a template's ids, parties and beginning."""

    ids: list[Any]
    texts: list[str]
    her_ids: dict[int, int]
    clients: dict[str, str]
    began: datetime
    sealed: dict[UUID, Sealed]


Cell = Callable[[Copy], Any]


class Multiplier:
    """Makes rows from templates, as one database takes them straight from its driver."""

    def __init__(self, made: list[Template], vault: Vault, *, sqlite: bool) -> None:
        self._sqlite = sqlite
        self._vault = vault
        self._random = random.Random(20_260_101)  # noqa: S311 - the same traffic every time
        self.columns: dict[Table, list[str]] = {}
        self._recipes = [(one, [(table, self._recipe(one, table, row)) for table, row in one.rows]) for one in made]

    def _recipe(self, template: Template, table: Table, row: dict[str, Any]) -> list[Cell]:
        left_to_the_database = {"id"} if table is t.audit else {"position"} if table is t.notification else set()
        names = [name for name in row if name not in left_to_the_database]
        self.columns.setdefault(table, names)
        owner = row.get("message_id") or row.get("content_id")
        if table in (t.payload, keys.payload_key) and owner in template.documents:
            of_it: dict[str, Cell] = {
                "content": lambda copy: self._sealed(template, copy, owner).content,
                "wrapped": lambda copy: self._sealed(template, copy, owner).wrapped,
            }
            return [of_it.get(name) or self._cell(template, table.c[name], row[name]) for name in names]
        return [self._cell(template, table.c[name], row[name]) for name in names]

    def _sealed(self, template: Template, copy: Copy, message_id: UUID) -> Sealed:
        """Encrypt a document for its copy, once for the row of the document and that of its key."""
        if message_id not in copy.sealed:
            content, sender = template.documents[message_id]
            itself = UUID(copy.texts[template.ids.index(message_id)])
            about = About(MESSAGE, itself, copy.her_ids[sender])
            copy.sealed[message_id] = self._vault.seal(content, about)
        return copy.sealed[message_id]

    def _cell(self, template: Template, column: Any, value: Any) -> Cell:  # noqa: PLR0911 - a kind of value each
        sqlite = self._sqlite
        match value:
            case UUID():
                place = template.ids.index(value)
                return lambda copy: copy.ids[place]
            case datetime():
                after = value - template.began
                if sqlite:
                    return lambda copy: (copy.began + after).isoformat(" ", "microseconds")
                return lambda copy: copy.began + after
            case bytes() if column.name in ("digest", "patient_hash"):
                return lambda _: self._random.randbytes(32)
            case bytes() if column.name == "content":
                kept = value[:_BYTES_OF_A_DOCUMENT]
                return lambda _: kept
            case int() if column.name.endswith("her_id"):
                return lambda copy: copy.her_ids.get(value, value)
            case dict() | list():
                return self._text(template, json.dumps(value, ensure_ascii=False))
            case str() if column.name in ("actor", "client_id"):
                return lambda copy: copy.clients.get(value, value)
            case str():
                return self._text(template, value)
            case _:
                return lambda _: value

    @staticmethod
    def _text(template: Template, text: str) -> Cell:
        places = [template.ids.index(one) for one in _uuids(text)]
        if not places:
            return lambda _: text
        pieces = _UUID.sub("{}", text.replace("{", "{{").replace("}", "}}"))
        return lambda copy: pieces.format(*(copy.texts[place] for place in places))

    def batches(self, messages: int, now: datetime) -> Iterator[dict[Table, list[tuple[Any, ...]]]]:
        """Make rows of so many messages, oldest first, some thousand beginnings at a time."""
        plan = self._plan(messages, now)
        for start in range(0, len(plan), _AT_A_TIME):
            rows: dict[Table, list[tuple[Any, ...]]] = {table: [] for table in self.columns}
            for began, number in plan[start : start + _AT_A_TIME]:
                template, recipes = self._recipes[number]
                copy = self._copy(template, began)
                for table, cells in recipes:
                    rows[table].append(tuple([cell(copy) for cell in cells]))
            yield rows

    def _plan(self, messages: int, now: datetime) -> list[tuple[datetime, int]]:
        shares = Counter(template.course for template, _ in self._recipes)
        weights = [template.course.of_a_thousand / shares[template.course] for template, _ in self._recipes]
        sizes = [sum(table is t.message for table, _ in recipes) for _, recipes in self._recipes]
        mean = sum(w * n for w, n in zip(weights, sizes, strict=True)) / sum(weights)
        chosen = self._random.choices(range(len(weights)), weights, k=round(messages / mean))
        return sorted((self._began(self._recipes[number][0], now), number) for number in chosen)

    def _began(self, template: Template, now: datetime) -> datetime:
        ago = timedelta(days=self._random.uniform(*template.course.days))
        return now - max(ago, template.lasted + timedelta(seconds=1))

    def _copy(self, template: Template, began: datetime) -> Copy:
        ids = [UUID(int=self._random.getrandbits(128), version=4) for _ in template.ids]
        hospital = self._choose(HOSPITALS)
        municipality = HOSPITALS + self._choose(MUNICIPALITIES)
        one, other = (municipality, hospital) if self._random.random() < 0.35 else (hospital, municipality)  # noqa: PLR2004
        her_ids = {
            her_id: _FIRST + number * 100 + self._random.randint(1, SERVICES)
            for her_id, number in ((_SENDER, one), (_RECEIVER, other))
        }
        return Copy(
            ids=[one.hex for one in ids] if self._sqlite else ids,
            texts=[str(one) for one in ids],
            her_ids=her_ids,
            clients={_HOSPITAL.id: client_of(one).id, _MUNICIPALITY.id: client_of(other).id},
            began=began.replace(tzinfo=None) if self._sqlite else began,
            sealed={},
        )

    def _choose(self, of: int) -> int:
        """Choose one of some organisations; the first are the larger ones."""
        return min(int(self._random.expovariate(5 / of)), of - 1)


async def fill(settings: Settings, owner_url: str, messages: int) -> None:
    """Fill an empty database that has its tables; `owner_url` is where nothing stands in the way."""
    now = datetime.now(UTC)
    sqlite = settings.database_url.startswith("sqlite")
    made = await templates(settings, Clock(now - _BACK * 20))
    async with open_exchange(settings) as exchange:
        multiplier = Multiplier(made, exchange.vault, sqlite=sqlite)
    began = time.perf_counter()
    if sqlite:
        _into_sqlite(settings.database_url.removeprefix("sqlite:///"), multiplier, messages, now)
    else:
        await _into_postgresql(owner_url, multiplier, messages, now)
    print(f"  {messages:,} messages in {time.perf_counter() - began:.0f} s", flush=True)
    began = time.perf_counter()
    async with open_exchange(settings) as exchange:
        await clients.register_parties(exchange, parties(), actor="benchmark")
        asked = {her_id for number in range(HOSPITALS + MUNICIPALITIES - 3) for her_id in client_of(number).her_ids}
        exchange.polls.note(asked, now)
        await collect.write_polls(exchange)
        sealer = Sealer(exchange)
        while await sealer.seal():
            pass
        while await overview.count_on(exchange):
            pass
    print(f"  sealed and counted in {time.perf_counter() - began:.0f} s", flush=True)


def _into_sqlite(file: str, multiplier: Multiplier, messages: int, now: datetime) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    for pragma in ("synchronous=OFF", "cache_size=-2000000", "journal_mode=WAL", "wal_autocheckpoint=100000"):
        connection.execute(f"PRAGMA {pragma}")
    for rows in multiplier.batches(messages, now):
        connection.execute("BEGIN")
        for table, some in rows.items():
            names = multiplier.columns[table]
            marks = ", ".join("?" * len(names))
            connection.executemany(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})", some)  # noqa: S608
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def _into_postgresql(url: str, multiplier: Multiplier, messages: int, now: datetime) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET synchronous_commit = off")
        await connection.execute("SET session_replication_role = replica")  # no check of what is known to fit
        position = 1
        for rows in multiplier.batches(messages, now):
            for table, some in rows.items():
                names = multiplier.columns[table]
                if table is t.notification:
                    # Below what the exchange numbers by its transactions, and after those of the play.
                    some, names = [(position + n, *row) for n, row in enumerate(some)], ["position", *names]  # noqa: PLW2901
                    position += len(some)
                await connection.copy_records_to_table(table.name, records=some, columns=names)
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()


__all__ = ["FAR", "OPERATOR", "client_of", "fill"]
