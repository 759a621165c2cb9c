"""The keys of documents: apart from what they open, so that one can be destroyed, or backed up, alone."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, LargeBinary, String, Table, Uuid

from messaging.store.tables import Instant, metadata

# What wraps payload keys and keys the hashes of patients' numbers; wrapped itself, with a key outside the database.
encryption_key = Table(
    "encryption_key",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("purpose", String(20), nullable=False),
    Column("master", String(16), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
)

# The key of one document: a message's, or a refused one. No foreign key, since it belongs to one of two tables.
payload_key = Table(
    "payload_key",
    metadata,
    Column("content_id", Uuid, primary_key=True),
    Column("key_id", ForeignKey("encryption_key.id", ondelete="RESTRICT"), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)
