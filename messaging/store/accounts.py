"""Accounts of people: who may sign in, in which role, and how often somebody has just failed to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from messaging.model.access import Role
from messaging.model.account import Account
from messaging.store import tables_of_people as t
from messaging.store.session import ReadTx, WriteTx

STRANGERS = ""
"""Stands for all the browsers that have never signed in to an account."""


def account_of(row: Any, her_ids: Collection[int]) -> Account:
    """Read an account from its row and its HER-ids."""
    return Account(
        name=row["name"],
        display_name=row["display_name"],
        role=Role(row["role"]),
        her_ids=frozenset(her_ids),
        issuer=row["issuer"],
        created_at=row["created_at"],
        disabled_at=row["disabled_at"],
        password_changed_at=row["password_changed_at"],
        signed_in_at=row["signed_in_at"],
    )


async def parties_of(tx: ReadTx, name: str) -> frozenset[int]:
    """Read the HER-ids that an account looks at."""
    return frozenset(await tx.scalars(select(t.account_party.c.her_id).where(t.account_party.c.account == name)))


async def get(tx: ReadTx, name: str) -> Account | None:
    """Read one account."""
    return await _one(tx, select(t.account).where(t.account.c.name == name))


async def hold(tx: WriteTx, name: str) -> Account | None:
    """Read one account, and hold it until the transaction ends."""
    return await _one(tx.reader, select(t.account).where(t.account.c.name == name).with_for_update())


async def by_subject(tx: ReadTx, issuer: str, subject: str) -> Account | None:
    """Find the account of somebody for whom an identity provider vouches."""
    return await _one(tx, select(t.account).where(t.account.c.issuer == issuer, t.account.c.subject == subject))


async def _one(tx: ReadTx, query: Select[Any]) -> Account | None:
    row = (await tx.execute(query)).mappings().first()
    return account_of(row, await parties_of(tx, row["name"])) if row else None


async def every(tx: ReadTx) -> list[Account]:
    """Read all accounts, by name."""
    rows = (await tx.execute(select(t.account).order_by(t.account.c.name))).mappings().all()
    seen: dict[str, set[int]] = {}
    for row in (await tx.execute(select(t.account_party))).mappings():
        seen.setdefault(row["account"], set()).add(row["her_id"])
    return [account_of(row, seen.get(row["name"], ())) for row in rows]


async def add(tx: WriteTx, account: Account, *, at: datetime, subject: str | None = None) -> None:
    """Keep a new account; it has no passphrase yet."""
    await tx.connection.execute(
        t.account.insert().values(
            name=account.name,
            display_name=account.display_name,
            role=account.role.value,
            issuer=account.issuer,
            subject=subject,
            created_at=at,
        )
    )
    await _see(tx, account)


async def change_role(tx: WriteTx, account: Account) -> None:
    """Keep an account's role, HER-ids and display name as they are told."""
    await _set(tx, account.name, role=account.role.value, display_name=account.display_name)
    await tx.connection.execute(delete(t.account_party).where(t.account_party.c.account == account.name))
    await _see(tx, account)


async def _see(tx: WriteTx, account: Account) -> None:
    if account.her_ids:
        rows = [{"account": account.name, "her_id": her_id} for her_id in sorted(account.her_ids)]
        await tx.connection.execute(t.account_party.insert(), rows)


async def disable(tx: WriteTx, name: str, *, at: datetime | None) -> None:
    """Shut an account from a moment on; None opens it again."""
    await _set(tx, name, disabled_at=at)


async def remember_sign_in(tx: WriteTx, name: str, *, at: datetime) -> None:
    """Keep when somebody last signed in."""
    await _set(tx, name, signed_in_at=at)


async def password_of(tx: ReadTx, name: str) -> str | None:
    """Read the hash of an account's passphrase."""
    found: str | None = await tx.scalar(select(t.account.c.password_hash).where(t.account.c.name == name))
    return found


async def keep_password(tx: WriteTx, name: str, password_hash: str, *, changed_at: datetime | None = None) -> None:
    """Keep the hash of a passphrase; without `changed_at` it is the same one, hashed anew."""
    changed = {"password_changed_at": changed_at} if changed_at else {}
    await _set(tx, name, password_hash=password_hash, **changed)


async def _set(tx: WriteTx, name: str, **values: Any) -> None:
    await tx.connection.execute(update(t.account).where(t.account.c.name == name).values(**values))


@dataclass(frozen=True, slots=True)
class Failures:
    """How often in a row a browser has failed to sign in to an account, and until when it waits."""

    in_a_row: int = 0
    locked_until: datetime | None = None


async def failures(tx: ReadTx, name: str, browser: str) -> Failures:
    """Read how a browser stands with an account."""
    query = select(t.failed_sign_in).where(t.failed_sign_in.c.account == name, t.failed_sign_in.c.browser == browser)
    row = (await tx.execute(query)).mappings().first()
    return Failures(row["in_a_row"], row["locked_until"]) if row else Failures()


async def locks(tx: ReadTx) -> dict[str, datetime]:
    """Tell until when strange browsers are kept from each account that is locked to them."""
    query = select(t.failed_sign_in).where(
        t.failed_sign_in.c.browser == STRANGERS, t.failed_sign_in.c.locked_until.is_not(None)
    )
    return {row["account"]: row["locked_until"] for row in (await tx.execute(query)).mappings()}


async def count_failure(tx: WriteTx, name: str, browser: str, *, at: datetime) -> int:
    """Count one more failure; tells how many there are in a row."""
    insert: Any = postgresql_insert if tx.is_postgresql else sqlite_insert
    failed = t.failed_sign_in
    statement = insert(failed).values(account=name, browser=browser, in_a_row=1, last_at=at)
    counted = statement.on_conflict_do_update(
        index_elements=["account", "browser"], set_={"in_a_row": failed.c.in_a_row + 1, "last_at": at}
    ).returning(failed.c.in_a_row)
    return int(await tx.connection.scalar(counted) or 0)


async def lock(tx: WriteTx, name: str, browser: str, *, until: datetime) -> None:
    """Keep a browser waiting."""
    failed = t.failed_sign_in
    await tx.connection.execute(
        update(failed).where(failed.c.account == name, failed.c.browser == browser).values(locked_until=until)
    )


async def forget_failures(tx: WriteTx, name: str, browser: str | None = None) -> None:
    """Forget the failures of one browser, or of all."""
    statement = delete(t.failed_sign_in).where(t.failed_sign_in.c.account == name)
    if browser is not None:
        statement = statement.where(t.failed_sign_in.c.browser == browser)
    await tx.connection.execute(statement)
