"""Organisations: what their parties owe, who acts for them, what they send with, and whom to call."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from messaging.store import tables as t
from messaging.store import tables_of_routes as of_routes
from messaging.store.session import ReadTx, WriteTx

_MOST_VERSIONS = 100
_NEWEST = 1_000
"""So many of a party's messages tell what it sends with."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What a party has not answered: how much, since when, and how much of it is past its deadline."""

    count: int
    oldest: datetime | None
    overdue: int


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to call about messaging at a party."""

    name: str = ""
    phone: str = ""
    email: str = ""
    changed_at: datetime | None = None


async def owed(tx: ReadTx, her_ids: Collection[int], *, at: datetime) -> dict[int, Owed]:
    """Tell what each of some parties has not answered yet."""
    late = func.sum(case((t.delivery.c.receipt_due_at < at, 1), else_=0))
    query = (
        select(t.delivery.c.receiver_her_id, func.count(), func.min(t.delivery.c.created_at), late)
        .where(t.open_delivery, t.delivery.c.expects_receipt, t.delivery.c.receiver_her_id.in_(her_ids))
        .group_by(t.delivery.c.receiver_her_id)
    )
    return {row[0]: Owed(int(row[1]), row[2], int(row[3])) for row in await tx.execute(query)}


async def sent_with(tx: ReadTx, her_ids: Collection[int], *, since: datetime) -> list[t.Row]:
    """Name the types, versions and systems that some parties have sent with since a moment, by each one's newest."""
    c, found = t.message.c, set[tuple[str, str, str]]()
    for her_id in her_ids:
        newest = (
            select(c.type, c.version, c.source_system)
            .where(c.received_at >= since, c.sender_her_id == her_id)
            .order_by(c.received_at.desc(), c.id.desc())
            .limit(_NEWEST)
            .subquery()
        )
        found.update((row[0], row[1], row[2]) for row in await tx.execute(select(newest).distinct()))
    named = sorted(found)[:_MOST_VERSIONS]
    return [{"type": kind, "version": version, "source_system": system} for kind, version, system in named]


async def contacts(tx: ReadTx, her_ids: Collection[int]) -> dict[int, Contact]:
    """Read whom to call at some parties."""
    query = select(of_routes.party_contact).where(of_routes.party_contact.c.her_id.in_(her_ids))
    return {
        row["her_id"]: Contact(row["name"], row["phone"], row["email"], row["changed_at"])
        for row in (await tx.execute(query)).mappings()
    }


async def set_contact(tx: WriteTx, her_id: int, contact: Contact, *, at: datetime) -> None:
    """Say whom to call at a party."""
    insert = postgresql_insert if tx.is_postgresql else sqlite_insert
    values = {"name": contact.name, "phone": contact.phone, "email": contact.email, "changed_at": at}
    statement = insert(of_routes.party_contact).values(her_id=her_id, **values)
    await tx.connection.execute(statement.on_conflict_do_update(index_elements=["her_id"], set_=values))
