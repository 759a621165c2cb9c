"""How the roads to parties stand: routes that are parked or rest, and when mailboxes were last asked for."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from messaging.store.tables import HerId, Instant, metadata

# One row for each route that has been delivered on, or parked; every process that delivers looks here first.
route = Table(
    "route",
    metadata,
    Column("name", String(100), primary_key=True),
    # An operator has parked it: nothing is sent until it is resumed.
    Column("parked_at", Instant),
    Column("parked_by", String(140)),
    Column("parked_note", String(1000)),
    # The circuit: failures in a row, and until when it rests because of them.
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("rests_until", Instant),
    Column("last_error", String(500)),
    Column("last_error_at", Instant),
)

mailbox_poll = Table(
    "mailbox_poll",
    metadata,
    Column("her_id", HerId, primary_key=True, autoincrement=False),
    Column("polled_at", Instant, nullable=False),
)

# Whom to call about messaging at a party; what the address register says stands in `party`.
party_contact = Table(
    "party_contact",
    metadata,
    Column("her_id", HerId, primary_key=True, autoincrement=False),
    Column("name", String(200), nullable=False),
    Column("phone", String(40), nullable=False),
    Column("email", String(200), nullable=False),
    Column("changed_at", Instant, nullable=False),
)
