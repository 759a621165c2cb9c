"""The second wall: PostgreSQL is told whose eyes a transaction looks with. SQLite has none; there the code is all."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from messaging.model.sight import Sight

_LOOK = text(
    "SELECT set_config('samhandling.her_ids', :her_ids, true), set_config('samhandling.client', :client, true)"
)
"""Both hold until the transaction ends, and no longer."""


async def look_with(connection: AsyncConnection, sight: Sight) -> None:
    """Say what the open transaction sees."""
    if connection.dialect.name == "postgresql":
        her_ids = "*" if sight.everything else "{" + ",".join(map(str, sorted(sight.her_ids))) + "}"
        await connection.execute(_LOOK, {"her_ids": her_ids, "client": sight.client_id})
