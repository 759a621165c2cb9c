"""Searches that people have saved, each their own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from messaging.store import tables as t
from messaging.store.session import ReadTx, WriteTx
from messaging.store.tables_of_people import saved_search


async def of(tx: ReadTx, account: str) -> list[t.Row]:
    """Read somebody's saved searches, by name."""
    query = select(saved_search).where(saved_search.c.account == account).order_by(saved_search.c.name)
    return [dict(row) for row in (await tx.execute(query)).mappings()]


async def count(tx: ReadTx, account: str, *, but: str) -> int:
    """Count somebody's saved searches, without the one of a name."""
    here = (saved_search.c.account == account, saved_search.c.name != but)
    return await tx.scalar(select(func.count()).where(*here)) or 0


async def save(tx: WriteTx, row: t.Row) -> None:
    """Keep a search, in place of the one that has its name."""
    insert: Any = postgresql_insert if tx.is_postgresql else sqlite_insert
    statement = insert(saved_search).values(row)
    kept = {name: row[name] for name in ("filters", "saved_at")}
    await tx.connection.execute(statement.on_conflict_do_update(index_elements=["account", "name"], set_=kept))


async def remove(tx: WriteTx, account: str, search_id: UUID) -> bool:
    """Drop one of somebody's searches; tells whether there was one."""
    here = (saved_search.c.account == account, saved_search.c.id == search_id)
    return (await tx.connection.execute(delete(saved_search).where(*here))).rowcount > 0
