"""What is kept: every table, its columns, and the constraints that hold when code is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from messaging.store.positions import FIRST_POSITION

ABOVE = "above"
"""Under this name a column tells what PostgreSQL adds to each value that is inserted."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """A moment in UTC on both databases; a naive datetime is a programming error."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Write UTC; SQLite keeps text, so the offset is left out there."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs an offset")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


Document = JSON().with_variant(JSONB(), "postgresql")
Serial = BigInteger().with_variant(Integer(), "sqlite")
HerId = Integer


def _only(condition: str) -> dict[str, Any]:
    """Let an index hold only the rows that a condition picks."""
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


def _fk(column: str) -> ForeignKey:
    return ForeignKey(column, ondelete="RESTRICT")


party = Table(
    "party",
    metadata,
    Column("her_id", HerId, primary_key=True, autoincrement=False),
    Column("parent_her_id", HerId),
    Column("name", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("org_number", String(20), nullable=False, server_default=""),
    Column("service_type", String(20), nullable=False, server_default=""),
    Column("contact", String(200), nullable=False, server_default=""),
    Column("route", String(100)),
    Column("refused_types", Document, nullable=False),
    Column("locked_to", String(40)),
)

client = Table(
    "client",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("created_at", Instant, nullable=False),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("client_id", ForeignKey("client.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("secret_hash", LargeBinary(32), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    # None leaves all: actions of model/access.py, and networks in CIDR notation.
    Column("scopes", Document),
    Column("networks", Document),
    Column("last_used_at", Instant),
)

client_certificate = Table(
    "client_certificate",
    metadata,
    # SHA-256 of the certificate's SubjectPublicKeyInfo.
    Column("spki", LargeBinary(32), primary_key=True),
    Column("client_id", ForeignKey("client.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("subject", String(500), nullable=False),
    Column("not_after", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
)

client_token = Table(
    "client_token",
    metadata,
    Column("issuer", String(300), primary_key=True),
    Column("token_client", String(200), primary_key=True),
    Column("parent", String(20), primary_key=True, server_default=""),
    Column("child", String(20), primary_key=True, server_default=""),
    Column("client_id", ForeignKey("client.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
)

used_proof = Table(
    "used_proof",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("expires_at", Instant, nullable=False, index=True),
)

grant = Table(
    "client_party",
    metadata,
    Column("client_id", ForeignKey("client.id", ondelete="CASCADE"), primary_key=True),
    Column("her_id", ForeignKey("party.her_id", ondelete="CASCADE"), primary_key=True),
)

message = Table(
    "message",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("sender_her_id", HerId, nullable=False),
    Column("msg_id", String(200), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("type", String(60), nullable=False),
    Column("namespace", String(200), nullable=False),
    Column("version", String(20), nullable=False),
    Column("status", String(1)),
    Column("processing_status", String(10), nullable=False),
    Column("gen_date", String(60), nullable=False),
    Column("gen_instant", Instant),
    Column("conversation_id", String(200)),
    Column("parent_id", String(200)),
    # What a change or a cancellation has in common with what it changes or cancels (HISD 1154).
    Column("link", String(200)),
    Column("warnings", Document, nullable=False, server_default=text("'[]'")),
    Column("size", Integer, nullable=False),
    Column("door", String(100), nullable=False),
    Column("client_id", String(40), nullable=False),
    Column("source_system", String(200), nullable=False, server_default=""),
    Column("received_at", Instant, nullable=False),
    # An AppRec knows what it answers; the pair with its sender makes it the only one.
    Column("answers_id", Uuid),
    # Keyed hash of the patient's number; empty where there is none, NULL where nobody has looked yet.
    Column("patient_hash", LargeBinary),
    UniqueConstraint("sender_her_id", "msg_id"),
    UniqueConstraint("answers_id", "sender_her_id"),
    Index("ix_message_received_at_id", "received_at", "id"),
    Index("ix_message_sender_received_at", "sender_her_id", "received_at", "id"),
    Index("ix_message_msg_id", "msg_id"),
    Index("ix_message_conversation_id", "conversation_id"),
    Index("ix_message_parent_id", "parent_id"),
    Index("ix_message_link", "link", "sender_her_id", "type"),
    Index("ix_message_patient_hash", "patient_hash"),
    Index(
        "ix_message_warnings",
        "warnings",
        postgresql_using="gin",
        postgresql_ops={"warnings": "jsonb_path_ops"},
        **_only("warnings <> '[]'"),
    ),
)

message_told = [column for column in message.c if column.name != "patient_hash"]
"""What is read of a message; the hash is compared and never read."""

# What answers a repetition, for ever: it outlives the message, and is only ever added to.
accepted = Table(
    "accepted",
    metadata,
    Column("sender_her_id", HerId, primary_key=True, autoincrement=False),
    Column("msg_id", String(200), primary_key=True),
    # The message's.
    Column("id", Uuid, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("warnings", Document, nullable=False),
    Column("answers_id", Uuid),
    UniqueConstraint("answers_id", "sender_her_id"),
)

payload = Table(
    "payload",
    metadata,
    Column("message_id", _fk("message.id"), primary_key=True),
    Column("format", String(20), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("damaged_at", Instant),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("message_id", _fk("message.id"), nullable=False),
    Column("receiver_her_id", HerId, nullable=False),
    Column("role", String(4), nullable=False),
    Column("route", String(100), nullable=False),
    Column("state", String(20), nullable=False),
    Column("owner", String(20), nullable=False),
    Column("version", Integer, nullable=False),
    Column("expects_receipt", Boolean, nullable=False),
    Column("due_at", Instant),
    Column("lease_until", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("attempts_before_resend", Integer, nullable=False, server_default="0"),
    Column("refused_by_receiver", Boolean, nullable=False, server_default=text("false")),
    Column("read_at", Instant),
    Column("receipt_status", String(30)),
    Column("receipt_errors", Document),
    Column("receipt_message_id", Uuid),
    Column("receipt_due_at", Instant),
    Column("alarmed_at", Instant),
    Column("overdue_at", Instant),
    # Somebody has looked at what went wrong with it, and needs no reminder.
    Column("handled_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    UniqueConstraint("message_id", "receiver_her_id"),
    Index("ix_delivery_claim", "route", "due_at", **_only("state = 'pending'")),
    Index("ix_delivery_due", "due_at", **_only("due_at IS NOT NULL")),
    Index("ix_delivery_receipt_due", "overdue_at", "receipt_due_at", **_only("owner <> ''")),
    Index("ix_delivery_owed", "receiver_her_id", "expects_receipt", **_only("owner <> ''")),
    Index("ix_delivery_unread", "receiver_her_id", **_only("read_at IS NULL")),
    Index("ix_delivery_receiver_created_at", "receiver_her_id", "created_at"),
    Index("ix_delivery_unusual", "state", "created_at", **_only("state NOT IN ('acknowledged', 'delivered')")),
    Index(
        "ix_delivery_receipt_errors",
        "receipt_errors",
        postgresql_using="gin",
        postgresql_ops={"receipt_errors": "jsonb_path_ops"},
        **_only("receipt_errors <> '[]'"),
    ),
    Index(
        "ix_delivery_wrong", "state", "changed_at", **_only("handled_at IS NULL AND state IN ('rejected', 'failed')")
    ),
)

open_delivery = text("delivery.owner <> ''")
"""Somebody owes the next step; written as in the index that it is found by, or SQLite does not take the index."""

USUAL_ENDS = frozenset({"acknowledged", "delivered"})
"""The states in which nearly all deliveries end."""

unusual_delivery = text("delivery.state NOT IN ('acknowledged', 'delivered')")
"""It has not ended as nearly all do; written as in the index that it is found by."""

wrong_delivery = text("delivery.handled_at IS NULL AND delivery.state IN ('rejected', 'failed')")
"""It went wrong and nobody has looked at it; written as in the index that it is found by."""

attempt = Table(
    "attempt",
    metadata,
    Column("delivery_id", _fk("delivery.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("outcome", String(20)),
    Column("detail", Text),
    Index("ix_attempt_started_at", "started_at"),
)

notification = Table(
    "notification",
    metadata,
    # On PostgreSQL the rows of a transaction count from one, and the database puts them where it stands.
    Column("position", Serial, primary_key=True, autoincrement=True, info={ABOVE: FIRST_POSITION}),
    Column("id", Uuid, nullable=False, unique=True),
    Column("her_id", HerId, nullable=False),
    Column("type", String(40), nullable=False),
    Column("message_id", Uuid),
    Column("triggered_by_her_id", HerId),
    Column("description", String(400)),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    Index("ix_notification_her_id_position", "her_id", "position"),
    Index("ix_notification_message_id", "message_id"),
    Index("ix_notification_unread", "her_id", "position", **_only("deleted_at IS NULL")),
    sqlite_autoincrement=True,
)

position_epoch = Table(
    "position_epoch",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("event", String(60), nullable=False),
    Column("actor", String(140), nullable=False),
    Column("message_id", Uuid),
    Column("delivery_id", Uuid),
    Column("her_id", HerId),
    Column("detail", Document, nullable=False),
    Index("ix_audit_message_id_id", "message_id", "id"),
    Index("ix_audit_at_id", "at", "id"),
    Index("ix_audit_event_at_id", "event", "at", "id"),
    Index("ix_audit_actor_at_id", "actor", "at", "id"),
    Index("ix_audit_her_id_at_id", "her_id", "at", "id", **_only("message_id IS NULL")),
    sqlite_autoincrement=True,
)

# A line's place in the Merkle tree, given by the sealer; apart from `audit`, so that both are append-only. No foreign
# key: its check would write to the very lines, and a line that is gone is found by `audit verify`.
sealed_line = Table(
    "sealed_line",
    metadata,
    Column("leaf_index", Serial, primary_key=True, autoincrement=False),
    Column("line_id", BigInteger, nullable=False, unique=True),
    Column("hash", LargeBinary(32), nullable=False),
)

seal = Table(
    "seal",
    metadata,
    Column("number", Serial, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False, unique=True),
    Column("root", LargeBinary(32), nullable=False),
    Column("last_line", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("previous", LargeBinary(32)),
    Column("key", LargeBinary(32), nullable=False),
    Column("replaces", Text),
    Column("signature", LargeBinary(64), nullable=False),
    # Not signed: where the next seal goes on. The peaks give the signed root; up to `settled` every line is sealed.
    Column("peaks", LargeBinary, nullable=False),
    Column("settled", BigInteger, nullable=False),
)

refusal = Table(
    "refusal",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("received_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("client_id", String(40), nullable=False),
    Column("door", String(100), nullable=False),
    Column("sender_her_id", HerId),
    Column("msg_id", String(200)),
    Column("type", String(60)),
    Column("digest", LargeBinary(32), nullable=False),
    Column("size", Integer, nullable=False),
    Column("faults", Document, nullable=False),
    Column("format", String(20), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("damaged_at", Instant),
    Index("ix_refusal_received_at_id", "received_at", "id"),
    Index("ix_refusal_client_id_received_at", "client_id", "received_at"),
    Index("ix_refusal_sender_her_id_msg_id", "sender_her_id", "msg_id"),
)

Row = dict[str, Any]
"""A row on its way in: column name to value."""
