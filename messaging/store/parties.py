"""Parties and clients: who takes part, and who may call for whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from messaging.model.access import Role
from messaging.model.party import Client, Party, PartyKind
from messaging.store import tables as t
from messaging.store.session import ReadTx, WriteTx


def _party(row: Any) -> Party:
    return Party(
        her_id=row["her_id"],
        name=row["name"],
        parent_her_id=row["parent_her_id"],
        kind=PartyKind(row["kind"]),
        org_number=row["org_number"],
        service_type=row["service_type"],
        contact=row["contact"],
        route=row["route"],
        refused_types=frozenset(row["refused_types"]),
        locked_to=row["locked_to"],
    )


async def known(tx: ReadTx, her_ids: Collection[int]) -> dict[int, Party]:
    """Read those of the parties that we know."""
    found = await tx.execute(select(t.party).where(t.party.c.her_id.in_(her_ids)))
    return {row["her_id"]: _party(row) for row in found.mappings()}


async def hold(tx: WriteTx, her_ids: Collection[int]) -> dict[int, Party]:
    """Read those of the parties that we know, and hold them until the transaction ends."""
    query = select(t.party).where(t.party.c.her_id.in_(her_ids)).order_by(t.party.c.her_id).with_for_update()
    return {row["her_id"]: _party(row) for row in (await tx.connection.execute(query)).mappings()}


async def every(tx: ReadTx) -> list[Party]:
    """Read all parties, by HER-id."""
    return [_party(row) for row in (await tx.execute(select(t.party).order_by(t.party.c.her_id))).mappings()]


def _upsert(tx: WriteTx) -> Any:
    return postgresql_insert if tx.is_postgresql else sqlite_insert


async def and_services(tx: ReadTx, her_id: int) -> frozenset[int]:
    """Name a party, and the services and persons below it."""
    here = or_(t.party.c.her_id == her_id, t.party.c.parent_her_id == her_id)
    return frozenset({her_id, *await tx.scalars(select(t.party.c.her_id).where(here))})


async def register(tx: WriteTx, parties: Iterable[Party]) -> None:
    """Add parties, or bring what we know of them up to date; locks, refusals and last polls stay."""
    for party in parties:
        values = {
            "name": party.name,
            "parent_her_id": party.parent_her_id,
            "kind": party.kind.value,
            "org_number": party.org_number,
            "service_type": party.service_type,
            "contact": party.contact,
            "route": party.route,
        }
        statement = _upsert(tx)(t.party).values(
            her_id=party.her_id, refused_types=sorted(party.refused_types), **values
        )
        await tx.connection.execute(statement.on_conflict_do_update(index_elements=["her_id"], set_=values))


async def configure(tx: WriteTx, her_id: int, *, refused_types: Collection[str], locked_to: str | None) -> None:
    """Set what a party says of itself: the types it refuses, and the client that alone may act for it."""
    await tx.connection.execute(
        update(t.party)
        .where(t.party.c.her_id == her_id)
        .values(refused_types=sorted(refused_types), locked_to=locked_to)
    )


async def client(tx: ReadTx, client_id: str) -> Client | None:
    """Read one client with its HER-ids."""
    row = (await tx.execute(select(t.client).where(t.client.c.id == client_id))).mappings().first()
    if row is None:
        return None
    granted = await tx.scalars(select(t.grant.c.her_id).where(t.grant.c.client_id == client_id))
    return Client(id=row["id"], name=row["name"], role=Role(row["role"]), her_ids=frozenset(granted))


async def hold_client(tx: WriteTx, client_id: str) -> Client | None:
    """Read one client, and hold it until the transaction ends."""
    await tx.connection.execute(select(t.client.c.id).where(t.client.c.id == client_id).with_for_update())
    return await client(tx.reader, client_id)


async def clients(tx: ReadTx) -> list[Client]:
    """Read all clients with their HER-ids, by name."""
    rows = (await tx.execute(select(t.client).order_by(t.client.c.name))).mappings().all()
    granted: dict[str, set[int]] = {}
    for row in (await tx.execute(select(t.grant))).mappings():
        granted.setdefault(row["client_id"], set()).add(row["her_id"])
    return [
        Client(id=row["id"], name=row["name"], role=Role(row["role"]), her_ids=frozenset(granted.get(row["id"], ())))
        for row in rows
    ]


async def save_client(tx: WriteTx, client: Client, *, at: datetime) -> None:
    """Add a client, or change its role and grants."""
    statement = _upsert(tx)(t.client).values(id=client.id, name=client.name, role=client.role.value, created_at=at)
    await tx.connection.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_={"name": client.name, "role": client.role.value})
    )
    await tx.connection.execute(delete(t.grant).where(t.grant.c.client_id == client.id))
    if client.her_ids:
        await tx.connection.execute(
            t.grant.insert(), [{"client_id": client.id, "her_id": her_id} for her_id in sorted(client.her_ids)]
        )


async def grant(tx: WriteTx, client_id: str, her_ids: Collection[int]) -> None:
    """Let a client act for more parties."""
    rows = [{"client_id": client_id, "her_id": her_id} for her_id in sorted(her_ids)]
    if rows:
        await tx.connection.execute(_upsert(tx)(t.grant).on_conflict_do_nothing(), rows)


async def ungrant(tx: WriteTx, client_id: str, her_ids: Collection[int]) -> None:
    """Let a client act for fewer parties."""
    await tx.connection.execute(delete(t.grant).where(t.grant.c.client_id == client_id, t.grant.c.her_id.in_(her_ids)))


async def lock(tx: WriteTx, her_ids: Collection[int], client_id: str | None) -> None:
    """Reserve parties for one client, or (None) for none; the rest of their configuration stays."""
    await tx.connection.execute(update(t.party).where(t.party.c.her_id.in_(her_ids)).values(locked_to=client_id))


async def locked_to(tx: ReadTx, client_id: str) -> list[int]:
    """Read the parties that are reserved for a client."""
    found = await tx.scalars(select(t.party.c.her_id).where(t.party.c.locked_to == client_id))
    return sorted(found)


async def count(tx: ReadTx) -> int:
    """Count the parties."""
    return int(await tx.scalar(select(func.count()).select_from(t.party)) or 0)
