"""The second wall: PostgreSQL is told whose eyes a transaction looks with. SQLite has none; there the code is all.

The policies themselves are made by the migrations. A new table needs some of its own, made in its revision, or a place
in `OPEN` with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from messaging.model.sight import EVERYTHING, NOTHING, Sight
from messaging.store.every_table import metadata

if TYPE_CHECKING:
    from messaging.store.session import Database, ReadTx, WriteTx

_HISTORY = "alembic_version"
_FUNCTIONS = ("make_months(date, integer)", "drop_months(date)")
"""What the application's role may have the tables' owner do."""

APPEND_ONLY = ("audit", "sealed_line", "seal", "accepted")
"""What is written there, the application's role may neither change nor remove."""

OPEN: Mapping[str, str] = MappingProxyType(
    {
        "party": "the address register, which decides about every caller before anything is theirs",
        "client": "who may call, asked for before it is known who calls",
        "api_key": "hashes of keys, asked for before it is known who calls",
        "client_certificate": "hashes of certificates' keys, asked for before it is known who calls",
        "client_token": "whom a token speaks for, asked for before it is known who calls",
        "used_proof": "proofs that were used, asked for before it is known who calls",
        "client_party": "grants, asked for before it is known who calls",
        "position_epoch": "one number, of nobody",
        "encryption_key": "wrapped keys, of nobody, opened before anybody calls",
        "tally": "one number, of nobody",
        "total": "sums over everything, of nobody",
        "account": "people who may sign in, asked for before it is known who calls",
        "account_party": "what those people look at, asked for before it is known who calls",
        "failed_sign_in": "counts of failures, asked for before it is known who calls",
        "sign_in": "hashes of tokens, asked for before it is known who calls",
    }
)
"""The tables without a wall, and why."""


def begin_to_look(sight: Sight) -> str:
    """Write in one go how a transaction on PostgreSQL begins that only looks, and what it sees."""
    return f"BEGIN READ ONLY; {_seen(sight)}"


def begin_to_write(sight: Sight) -> str:
    """Write in one go how a transaction on PostgreSQL begins that may write, and what it sees and touches."""
    return f"BEGIN; {_seen(sight)}"


async def see_everything(connection: AsyncConnection) -> None:
    """Let a transaction see everything that has just been opened."""
    await connection.execute(text(_seen(EVERYTHING)))


def _seen(sight: Sight) -> str:
    """Say whose eyes a transaction looks with; it holds until the transaction ends, and no longer."""
    her_ids = "*" if sight.everything else "{" + ",".join(map(str, sorted(sight.her_ids))) + "}"
    client = sight.client_id.replace("'", "''")
    of_client = f"set_config('samhandling.client', '{client}', true)"
    return f"SELECT set_config('samhandling.her_ids', '{her_ids}', true), {of_client}"


async def role_of(database: Database) -> str | None:
    """Name the role that a database is opened in; None on SQLite."""
    if database.is_sqlite:
        return None
    async with database.read(NOTHING) as tx:
        return str(await tx.scalar(text("SELECT current_user")))


async def grant(tx: WriteTx, role: str) -> None:
    """Give the application's role what it needs of the tables that this transaction's role owns, and no more."""
    if role == await tx.connection.scalar(text("SELECT current_user")):
        return
    quote = tx.connection.dialect.identifier_preparer.quote
    schema, to = quote(str(await tx.connection.scalar(text("SELECT current_schema()")))), quote(role)
    statements = [f"GRANT USAGE ON SCHEMA {schema} TO {to}", f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {to}"]
    for table in (*metadata.tables, _HISTORY):
        may = "SELECT" if table == _HISTORY else "SELECT, INSERT"
        may += "" if table in (_HISTORY, *APPEND_ONLY) else ", UPDATE, DELETE"
        statements += [
            f"REVOKE ALL ON {schema}.{quote(table)} FROM {to}",
            f"GRANT {may} ON {schema}.{quote(table)} TO {to}",
        ]
    statements += [f"GRANT EXECUTE ON FUNCTION {schema}.{function} TO {to}" for function in _FUNCTIONS]
    for statement in statements:
        await tx.connection.execute(text(statement))


async def weaknesses(tx: ReadTx) -> list[str]:
    """Say, in words for an operator, what of the second wall is missing here; an empty list when it stands.

    On SQLite it never stands, and the list says so.
    """
    if tx.dialect.name != "postgresql":
        return ["SQLite has no row-level security: the code alone keeps parties apart. PostgreSQL adds a second wall."]
    found = []
    role = (await tx.execute(text("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"))).one()
    if role.rolsuper or role.rolbypassrls:
        found.append(
            "The application's database user is a superuser, or has BYPASSRLS: row-level security does not bind it. "
            "Use a user without either."
        )
    tables = {row.relname: row for row in await tx.execute(_TABLES, {"names": list(metadata.tables)})}
    if any(row.owned for row in tables.values()):
        found.append(
            "The application's database user owns the tables, and could take the wall down. Let another user own them, "
            "and run `samhandling migrate` with SAMHANDLING_MIGRATION_URL."
        )
    bare = sorted(name for name, row in tables.items() if name not in OPEN and not row.walled)
    if bare:
        found.append(f"No row-level security stands before {', '.join(bare)}; run `samhandling migrate`.")
    loose = sorted(name for name in APPEND_ONLY if name in tables and tables[name].changeable)
    if loose:
        found.append(
            f"The application's database user may change or remove lines of {', '.join(loose)}; it needs no more than "
            "SELECT and INSERT there."
        )
    return found


_TABLES: Any = text(
    """SELECT relname, relrowsecurity AND relforcerowsecurity AS walled, pg_has_role(relowner, 'MEMBER') AS owned,
    has_table_privilege(oid, 'UPDATE') OR has_table_privilege(oid, 'DELETE') OR has_table_privilege(oid, 'TRUNCATE')
    AS changeable
    FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
    AND relname = ANY (:names)"""
)
