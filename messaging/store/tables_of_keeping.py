"""What is kept in spite of its time being over: legal holds."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, Uuid

from messaging.store.tables import Instant, metadata

legal_hold = Table(
    "legal_hold",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("scope", String(20), nullable=False),
    # A message's id, a conversation's id, or a HER-id.
    Column("subject", String(200), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("review_at", Instant, nullable=False),
    Column("placed_at", Instant, nullable=False),
    Column("placed_by", String(140), nullable=False),
    Column("released_at", Instant),
    Column("released_by", String(140)),
    Column("release_reason", String(500)),
)
