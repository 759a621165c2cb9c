"""The audit log: one line per event, written in the transaction of the change it records, and never changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select, tuple_

from messaging.store import tables as t
from messaging.store.messages import is_party
from messaging.store.rows import insert
from messaging.store.session import ReadTx, WriteTx


@dataclass(frozen=True, slots=True)
class Line:
    """One line: who did what, when, to which message; `detail` holds codes and counts, never content or names."""

    at: datetime
    event: str
    actor: str
    message_id: UUID | None = None
    delivery_id: UUID | None = None
    her_id: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    def row(self) -> t.Row:
        """Give the line as a row."""
        return {
            "at": self.at,
            "event": self.event,
            "actor": self.actor,
            "message_id": self.message_id,
            "delivery_id": self.delivery_id,
            "her_id": self.her_id,
            "detail": self.detail,
        }


async def write(tx: WriteTx, *lines: Line) -> None:
    """Add lines to the log."""
    await insert(tx, (t.audit, [line.row() for line in lines]))


async def write_numbered(tx: WriteTx, line: Line) -> int:
    """Add a line to the log, and tell its number; for transactions that see everything."""
    return int((await tx.connection.execute(t.audit.insert().returning(t.audit.c.id), line.row())).scalar_one())


async def of_message(tx: ReadTx, message_id: UUID) -> list[t.Row]:
    """Read one message's timeline, oldest first."""
    found = await tx.execute(select(t.audit).where(t.audit.c.message_id == message_id).order_by(t.audit.c.id))
    return [dict(row) for row in found.mappings()]


async def recent(tx: ReadTx, *, after: int = 0, limit: int = 100, event: str | None = None) -> list[t.Row]:
    """Read the log from a line on, oldest first."""
    query = select(t.audit).where(t.audit.c.id > after).order_by(t.audit.c.id).limit(limit)
    if event:
        query = query.where(t.audit.c.event == event)
    return [dict(row) for row in (await tx.execute(query)).mappings()]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are looked for; None leaves a choice open. `her_ids` asks for lines about messages of these parties.

    `itself` asks for lines about a party and no message, such as what was configured there. `before` is the last line
    of the page before: its time and number.
    """

    her_ids: Collection[int] | None = None
    message_ids: Collection[UUID] | None = None
    numbers: Collection[int] | None = None
    events: Collection[str] | None = None
    actor: str | None = None
    party: int | None = None
    itself: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[datetime, int] | None = None
    limit: int = 50


async def search(tx: ReadTx, wanted: Wanted) -> list[t.Row]:
    """Read lines, newest first."""
    c = t.audit.c
    conditions = [*_about(tx, wanted), *_said(wanted)]
    if wanted.before is not None:
        conditions.append(tuple_(c.at, c.id) < tuple_(*wanted.before))
    query = select(t.audit).where(and_(True, *conditions)).order_by(c.at.desc(), c.id.desc()).limit(wanted.limit)
    return [dict(row) for row in (await tx.execute(query)).mappings()]


def _about(tx: ReadTx, wanted: Wanted) -> Iterator[Any]:
    """Say in SQL which messages or which party lines are about."""
    c = t.audit.c
    for her_ids in (wanted.her_ids, None if wanted.party is None else [wanted.party]):
        if her_ids is not None:
            yield _of_messages_of(tx, her_ids)
    if wanted.itself is not None:
        yield and_(c.message_id.is_(None), c.her_id == wanted.itself)
    if wanted.message_ids is not None:
        yield c.message_id.in_(wanted.message_ids)


def _of_messages_of(tx: ReadTx, her_ids: Collection[int]) -> Any:
    """Say in SQL that a line is about a message of some parties; SQLite would first gather all that they ever had."""
    own = select(t.message.c.id).where(is_party(her_ids))
    if tx.dialect.name == "postgresql":
        return t.audit.c.message_id.in_(own)
    return own.where(t.message.c.id == t.audit.c.message_id).correlate(t.audit).offset(0).exists()


def _said(wanted: Wanted) -> Iterator[Any]:
    """Say in SQL what lines say themselves."""
    c = t.audit.c
    if wanted.numbers is not None:
        yield c.id.in_(wanted.numbers)
    if wanted.events is not None:
        yield c.event.in_([str(event) for event in wanted.events])
    if wanted.actor is not None:
        yield c.actor == wanted.actor
    if wanted.since is not None:
        yield c.at >= wanted.since
    if wanted.until is not None:
        yield c.at < wanted.until
