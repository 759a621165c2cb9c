"""Who is signed in: one row for each browser, found by the hash of the token that it holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Delete, delete, select, update

from messaging.model.account import Account
from messaging.store import accounts
from messaging.store import tables_of_people as t
from messaging.store.session import ReadTx, WriteTx


@dataclass(frozen=True, slots=True)
class SignIn:
    """A person in a browser: since when, last seen when, until when at most, and how it got in."""

    id: UUID
    account: str
    way: str
    address: str
    began_at: datetime
    seen_at: datetime
    ends_at: datetime


def _sign_in(row: Any) -> SignIn:
    return SignIn(**{name: row[name] for name in SignIn.__dataclass_fields__})


async def add(tx: WriteTx, begun: SignIn, token_hash: bytes) -> None:
    """Keep that somebody has signed in."""
    values = {name: getattr(begun, name) for name in SignIn.__dataclass_fields__}
    await tx.connection.execute(t.sign_in.insert().values(token_hash=token_hash, **values))


async def by_token(tx: ReadTx, token_hash: bytes) -> tuple[SignIn, Account] | None:
    """Find who holds a token, also when the time is over."""
    query = select(t.sign_in).where(t.sign_in.c.token_hash == token_hash)
    row = (await tx.execute(query)).mappings().first()
    account = await accounts.get(tx, row["account"]) if row else None
    return (_sign_in(row), account) if row and account else None


async def get(tx: ReadTx, sign_in_id: UUID) -> SignIn | None:
    """Read one by its id."""
    row = (await tx.execute(select(t.sign_in).where(t.sign_in.c.id == sign_in_id))).mappings().first()
    return _sign_in(row) if row else None


async def of_account(tx: ReadTx, name: str) -> list[SignIn]:
    """Read where one person is signed in, newest first."""
    query = select(t.sign_in).where(t.sign_in.c.account == name).order_by(t.sign_in.c.began_at.desc(), t.sign_in.c.id)
    return [_sign_in(row) for row in (await tx.execute(query)).mappings()]


async def see(tx: WriteTx, sign_in_id: UUID, *, at: datetime) -> None:
    """Keep that somebody was seen."""
    await tx.connection.execute(update(t.sign_in).where(t.sign_in.c.id == sign_in_id).values(seen_at=at))


async def end(tx: WriteTx, sign_in_id: UUID) -> bool:
    """End one; tells whether it was still there."""
    return await _drop(tx, delete(t.sign_in).where(t.sign_in.c.id == sign_in_id)) > 0


async def end_all(tx: WriteTx, name: str, *, but: UUID | None = None) -> int:
    """End all of one person, perhaps but the one in use; tells how many there were."""
    statement = delete(t.sign_in).where(t.sign_in.c.account == name)
    return await _drop(tx, statement.where(t.sign_in.c.id != but) if but else statement)


async def purge(tx: WriteTx, *, at: datetime, unseen_since: datetime) -> int:
    """Drop those whose time is over, or that were not seen for too long."""
    over = (t.sign_in.c.ends_at <= at) | (t.sign_in.c.seen_at <= unseen_since)
    return await _drop(tx, delete(t.sign_in).where(over))


async def _drop(tx: WriteTx, statement: Delete) -> int:
    return (await tx.connection.execute(statement)).rowcount
