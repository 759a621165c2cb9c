"""Seals: which lines are sealed, under which hash, and the signed heads over them. All of it is only ever added to."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, Text, and_, cast, func, or_, select, text, type_coerce

from messaging.model.audit import AuditEvent
from messaging.model.merkle import Tree
from messaging.model.seal import Seal
from messaging.model.sight import EVERYTHING
from messaging.store import tables as t
from messaging.store.session import Database, ReadTx, WriteTx

_ONE_SEALER = 7_201_949
_ROWS_AT_A_TIME = 5_000
_SEALS_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """A seal as it is kept, with what the next one goes on from."""

    seal: Seal
    peaks: bytes
    settled: int
    """Every line up to this id is sealed, and none can appear any more."""

    def tree(self) -> Tree:
        """Give the tree to go on growing. Raises ValueError when the peaks kept are not those that were signed."""
        tree = Tree.from_bytes(self.seal.size, self.peaks)
        if tree.root() != self.seal.root:
            raise ValueError(f"the peaks beside seal {self.seal.number} do not give its root; see `audit verify`")
        return tree


def _kept(row: Any) -> Kept:
    fields = dict(row)
    peaks, settled = fields.pop("peaks"), fields.pop("settled")
    replaces = tuple(bytes.fromhex(digest) for digest in (fields.pop("replaces") or "").split())
    return Kept(Seal(**fields, replaces=replaces), peaks, settled)


async def last(tx: ReadTx) -> Kept | None:
    """Read the newest seal."""
    row = (await tx.execute(select(t.seal).order_by(t.seal.c.number.desc()).limit(1))).mappings().first()
    return _kept(row) if row else None


async def newest(tx: ReadTx, *, limit: int) -> list[Kept]:
    """Read the newest seals, the newest first."""
    query = select(t.seal).order_by(t.seal.c.number.desc()).limit(limit)
    return [_kept(row) for row in (await tx.execute(query)).mappings()]


async def get(tx: ReadTx, number: int) -> Kept | None:
    """Read one seal."""
    row = (await tx.execute(select(t.seal).where(t.seal.c.number == number))).mappings().first()
    return _kept(row) if row else None


async def page(tx: ReadTx, *, start: int, limit: int) -> list[Kept]:
    """Read seals from a number on."""
    query = select(t.seal).where(t.seal.c.number >= start).order_by(t.seal.c.number).limit(limit)
    return [_kept(row) for row in (await tx.execute(query)).mappings()]


async def covering(tx: ReadTx, index: int) -> Kept | None:
    """Read the first seal that covers a leaf."""
    query = select(t.seal).where(t.seal.c.size > index).order_by(t.seal.c.size).limit(1)
    row = (await tx.execute(query)).mappings().first()
    return _kept(row) if row else None


async def within(tx: ReadTx, *, size: int, before: int) -> Kept | None:
    """Read the newest seal with a lower number than `before` that covers no more than `size` leaves."""
    query = (
        select(t.seal).where(t.seal.c.size <= size, t.seal.c.number < before).order_by(t.seal.c.size.desc()).limit(1)
    )
    row = (await tx.execute(query)).mappings().first()
    return _kept(row) if row else None


async def written_at(tx: ReadTx, indexes: Sequence[int]) -> dict[int, datetime]:
    """Tell when the lines of some leaves were written, by the leaves' indexes."""
    leaf = t.sealed_line.c
    query = (
        select(leaf.leaf_index, t.audit.c.at)
        .join(t.audit, t.audit.c.id == leaf.line_id)
        .where(leaf.leaf_index.in_(indexes))
    )
    return {row.leaf_index: row.at for row in await tx.execute(query)}


async def replacing(tx: ReadTx, *, after: int = -1, until: int | None = None) -> list[Seal]:
    """Read the seals that an operator let follow on a gap: all, or those behind one and up to another."""
    query = select(t.seal).where(t.seal.c.replaces.is_not(None), t.seal.c.number > after).order_by(t.seal.c.number)
    if until is not None:
        query = query.where(t.seal.c.number <= until)
    return [_kept(row).seal for row in (await tx.execute(query)).mappings()]


async def has(tx: ReadTx, seal: Seal) -> bool:
    """Tell whether the database has exactly this seal."""
    kept = await get(tx, seal.number)
    return kept is not None and kept.seal.digest == seal.digest


@dataclass(frozen=True, slots=True)
class Mark:
    """A line id, and the transactions that were writing lines when it was the highest."""

    highest: int
    writers: frozenset[str]


_WRITERS = text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND relation = 'audit'::regclass "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND mode = 'RowExclusiveLock' AND granted"
)


async def mark(tx: ReadTx) -> Mark:
    """Note how far the lines go, and who may still add one below.

    PostgreSQL gives ids from a sequence, and the transaction with the lower one may commit last. Whoever has taken an
    id holds a lock on the table until its end, and its lines are seen before the lock is gone.
    """
    highest = await tx.scalar(select(func.coalesce(func.max(t.audit.c.id), 0))) or 0
    return Mark(highest, await _writers(tx))


async def has_settled(tx: ReadTx, noted: Mark) -> bool:
    """Tell whether every line up to the mark can be seen by the next statement, or never will be."""
    return not noted.writers or noted.writers.isdisjoint(await _writers(tx))


async def _writers(tx: ReadTx) -> frozenset[str]:
    if tx.dialect.name != "postgresql":
        return frozenset()  # SQLite has one writer at a time, and ids follow the commits
    return frozenset(await tx.scalars(_WRITERS))


def _unsealed(after: int) -> Select[Any]:
    sealed = select(t.sealed_line.c.line_id).where(t.sealed_line.c.line_id > after).subquery()
    return (
        select(t.audit)
        .select_from(t.audit.outerjoin(sealed, sealed.c.line_id == t.audit.c.id))
        .where(t.audit.c.id > after, sealed.c.line_id.is_(None))
        .order_by(t.audit.c.id)
    )


def _as_hashed(is_postgresql: bool) -> list[ColumnElement[Any]]:  # noqa: FBT001
    """Give a line's columns as `line_bytes` takes them: the database writes the texts, much faster than we could."""
    line = t.audit.c
    if is_postgresql:
        at: ColumnElement[Any] = func.to_char(func.timezone("UTC", line.at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        ids: list[ColumnElement[Any]] = [cast(line.message_id, Text), cast(line.delivery_id, Text)]
    else:
        at = func.replace(type_coerce(line.at, Text), " ", "T").concat("Z")
        ids = [_dashed(line.message_id), _dashed(line.delivery_id)]
    return [line.id, at, line.event, line.actor, *ids, line.her_id, cast(line.detail, Text)]


def _dashed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Write a UUID, which SQLite keeps as 32 digits, with its dashes."""
    digits = type_coerce(column, Text)
    parts: list[ColumnElement[Any]] = [
        func.substr(digits, start, length) for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    ]
    return reduce(lambda written, part: written.concat("-").concat(part), parts)


async def to_seal(tx: ReadTx, *, after: int, limit: int) -> list[Any]:
    """Read lines behind an id that have no seal yet, lowest id first, as `line_bytes` takes them."""
    columns = _as_hashed(tx.dialect.name == "postgresql")
    return list((await tx.execute(_unsealed(after).with_only_columns(*columns).limit(limit))).all())


async def unsealed(tx: ReadTx, *, after: int, limit: int, events: Sequence[str] = ()) -> list[t.Row]:
    """Read lines behind an id that have no seal yet, lowest id first."""
    query = _unsealed(after).limit(limit)
    if events:
        query = query.where(t.audit.c.event.in_(events))
    return [dict(row) for row in (await tx.execute(query)).mappings()]


async def waiting(tx: ReadTx, *, after: int) -> tuple[int, datetime | None]:
    """Count the lines behind an id that have no seal yet, and tell when the oldest was written."""
    lines: Subquery = _unsealed(after).order_by(None).subquery()
    row = (await tx.execute(select(func.count(), func.min(lines.c.at)).select_from(lines))).one()
    return int(row[0]), row[1]


async def never_sealed(tx: ReadTx, *, after: int, until: int, limit: int) -> list[int]:
    """Name lines that stand among the sealed ones and have no seal."""
    query = _unsealed(after).with_only_columns(t.audit.c.id).where(t.audit.c.id <= until).limit(limit)
    return list(await tx.scalars(query))


async def append(tx: WriteTx, base: Seal | None, following: Kept, lines: Iterable[tuple[int, bytes]]) -> bool:
    """Add a seal and its lines' ids and hashes, in the order of the leaves.

    Returns False, and writes nothing, when another sealer has been faster than this one since it read `base`.
    """
    if tx.is_postgresql:
        await tx.connection.execute(text(f"SELECT pg_advisory_xact_lock({_ONE_SEALER})"))
    newest = await last(tx.reader)
    if (newest.seal.digest if newest else None) != (base.digest if base else None):
        return False
    start = base.size if base else 0
    rows = [(index, line, leaf) for index, (line, leaf) in enumerate(lines, start)]
    insert = str(t.sealed_line.insert().compile(dialect=tx.connection.dialect))
    await tx.connection.exec_driver_sql(insert, rows)  # straight to the driver: thousands of rows a second
    seal = following.seal
    fields: dict[str, Any] = {field.name: getattr(seal, field.name) for field in dataclasses.fields(seal)}
    fields["replaces"] = " ".join(digest.hex() for digest in seal.replaces) or None
    await tx.connection.execute(t.seal.insert().values(**fields, peaks=following.peaks, settled=following.settled))
    return True


async def leaves(database: Database, *, start: int, end: int) -> AsyncIterator[list[Any]]:
    """Read leaves with their lines, page by page, each in a transaction of its own: a long look holds nothing up.

    A row is the leaf's index, the id and the hash that were sealed, and then the line as `line_bytes` takes it; that is
    None throughout when the line is gone.
    """
    leaf = t.sealed_line.c
    query = (
        select(leaf.leaf_index, leaf.line_id, leaf.hash, *_as_hashed(not database.is_sqlite))
        .select_from(t.sealed_line.outerjoin(t.audit, t.audit.c.id == leaf.line_id))
        .order_by(leaf.leaf_index)
        .limit(_ROWS_AT_A_TIME)
    )
    while start < end:
        async with database.read(EVERYTHING) as tx:
            rows = (await tx.execute(query.where(leaf.leaf_index >= start, leaf.leaf_index < end))).all()
        if not rows:
            return
        yield list(rows)
        start = rows[-1][0] + 1


async def in_order(database: Database, *, after: Kept | None, until: Kept) -> AsyncIterator[list[Any]]:
    """Read the sealed log behind a seal, page by page: leaves with their lines, and each seal behind its leaves."""
    number, index = (after.seal.number + 1, after.seal.size) if after else (0, 0)
    while number <= until.seal.number:
        async with database.read(EVERYTHING) as tx:
            some = await page(tx, start=number, limit=_SEALS_AT_A_TIME)
        ahead = [kept for kept in some if kept.seal.number <= until.seal.number][::-1]
        if not ahead:
            return
        number, end = ahead[0].seal.number + 1, ahead[0].seal.size
        async for rows in leaves(database, start=index, end=end):
            both: list[Any] = []
            for row in rows:
                while row[0] >= ahead[-1].seal.size:
                    both.append(ahead.pop())
                both.append(row)
            yield both
        yield ahead[::-1]
        index = end


async def hashes(tx: ReadTx, *, start: int, end: int) -> list[bytes]:
    """Read the leaves' hashes of a range."""
    index = t.sealed_line.c.leaf_index
    query = select(t.sealed_line.c.hash).where(index >= start, index < end).order_by(index)
    return list(await tx.scalars(query))


async def lines_of(tx: ReadTx, message_id: UUID) -> list[Any]:
    """Read one message's lines: the leaf's index, None when it is not sealed yet; then the line for `line_bytes`."""
    return await _lines(tx, t.audit.c.message_id == message_id)


async def lines_of_erasure(tx: ReadTx, number: int) -> list[Any]:
    """Read in the same form the lines that tell what an erasure destroyed, by its number.

    Where a document was destroyed before the erasure, its time being over, the line that tells that is among them.
    """
    line = t.audit.c
    told = line.event.in_((AuditEvent.MESSAGE_ERASED, AuditEvent.REFUSAL_ERASED))
    erased = and_(line.id > number, told, line.detail["erasure"].as_string() == str(number))
    messages = select(line.message_id).where(erased).correlate(None)
    before = and_(line.event == AuditEvent.DOCUMENT_DESTROYED, line.message_id.in_(messages))
    return await _lines(tx, or_(erased, before))


async def _lines(tx: ReadTx, wanted: ColumnElement[bool]) -> list[Any]:
    query = (
        select(t.sealed_line.c.leaf_index, *_as_hashed(tx.dialect.name == "postgresql"))
        .select_from(t.audit.outerjoin(t.sealed_line, t.sealed_line.c.line_id == t.audit.c.id))
        .where(wanted)
        .order_by(t.audit.c.id)
    )
    return list((await tx.execute(query)).all())


async def last_given(tx: ReadTx) -> int:
    """Tell the highest line id that the database has ever given out."""
    if tx.dialect.name == "postgresql":
        asked = text("SELECT pg_sequence_last_value(pg_get_serial_sequence('audit', 'id')::regclass)")
    else:
        asked = text("SELECT seq FROM sqlite_sequence WHERE name = 'audit'")
    return int(await tx.scalar(asked) or 0)


async def leaf_count(tx: ReadTx) -> int:
    """Tell the index behind the last leaf."""
    return int(await tx.scalar(select(func.coalesce(func.max(t.sealed_line.c.leaf_index) + 1, 0))) or 0)


async def by_number(tx: ReadTx, numbers: Sequence[int]) -> dict[int, Seal]:
    """Read some seals."""
    rows = (await tx.execute(select(t.seal).where(t.seal.c.number.in_(numbers)))).mappings()
    return {row["number"]: _kept(row).seal for row in rows}
