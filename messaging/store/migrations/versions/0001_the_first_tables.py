"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("event", sa.String(length=60), nullable=False),
        sa.Column("actor", sa.String(length=140), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("delivery_id", sa.Uuid(), nullable=True),
        sa.Column("her_id", sa.Integer(), nullable=True),
        sa.Column("detail", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_message_id_id", "audit", ["message_id", "id"], unique=False)
    op.create_table(
        "client",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client")),
        sa.UniqueConstraint("name", name=op.f("uq_client_name")),
    )
    op.create_table(
        "message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sender_her_id", sa.Integer(), nullable=False),
        sa.Column("msg_id", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("namespace", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=1), nullable=True),
        sa.Column("processing_status", sa.String(length=10), nullable=False),
        sa.Column("gen_date", sa.String(length=60), nullable=False),
        sa.Column("gen_instant", INSTANT, nullable=True),
        sa.Column("conversation_id", sa.String(length=200), nullable=True),
        sa.Column("parent_id", sa.String(length=200), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("door", sa.String(length=100), nullable=False),
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("source_system", sa.String(length=200), server_default="", nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("answers_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("answers_id", "sender_her_id", name=op.f("uq_message_answers_id_sender_her_id")),
        sa.UniqueConstraint("sender_her_id", "msg_id", name=op.f("uq_message_sender_her_id_msg_id")),
    )
    op.create_index("ix_message_conversation_id", "message", ["conversation_id"], unique=False)
    op.create_index("ix_message_msg_id", "message", ["msg_id"], unique=False)
    op.create_index("ix_message_received_at_id", "message", ["received_at", "id"], unique=False)
    op.create_table(
        "notification",
        sa.Column("position", SERIAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("her_id", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("triggered_by_her_id", sa.Integer(), nullable=True),
        sa.Column("description", sa.String(length=400), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("deleted_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_notification")),
        sa.UniqueConstraint("id", name=op.f("uq_notification_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notification_her_id_position", "notification", ["her_id", "position"], unique=False)
    op.create_index(
        "ix_notification_unread",
        "notification",
        ["her_id", "position"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
        sqlite_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "party",
        sa.Column("her_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("parent_her_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("org_number", sa.String(length=20), server_default="", nullable=False),
        sa.Column("service_type", sa.String(length=20), server_default="", nullable=False),
        sa.Column("contact", sa.String(length=200), server_default="", nullable=False),
        sa.Column("route", sa.String(length=100), nullable=True),
        sa.Column("refused_types", DOCUMENT, nullable=False),
        sa.Column("locked_to", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("her_id", name=op.f("pk_party")),
    )
    op.create_table(
        "position_epoch",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_position_epoch")),
    )
    op.create_table(
        "refusal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("door", sa.String(length=100), nullable=False),
        sa.Column("sender_her_id", sa.Integer(), nullable=True),
        sa.Column("msg_id", sa.String(length=200), nullable=True),
        sa.Column("type", sa.String(length=60), nullable=True),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("faults", DOCUMENT, nullable=False),
        sa.Column("format", sa.String(length=20), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusal")),
    )
    op.create_index("ix_refusal_client_id_received_at", "refusal", ["client_id", "received_at"], unique=False)
    op.create_index(op.f("ix_refusal_expires_at"), "refusal", ["expires_at"], unique=False)
    op.create_index("ix_refusal_received_at_id", "refusal", ["received_at", "id"], unique=False)
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_api_key_client_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
    )
    op.create_index(op.f("ix_api_key_client_id"), "api_key", ["client_id"], unique=False)
    op.create_table(
        "client_party",
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("her_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_client_party_client_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["her_id"], ["party.her_id"], name=op.f("fk_client_party_her_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("client_id", "her_id", name=op.f("pk_client_party")),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("receiver_her_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=4), nullable=False),
        sa.Column("route", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("owner", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("expects_receipt", sa.Boolean(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts_before_resend", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refused_by_receiver", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("read_at", INSTANT, nullable=True),
        sa.Column("receipt_status", sa.String(length=30), nullable=True),
        sa.Column("receipt_errors", DOCUMENT, nullable=True),
        sa.Column("receipt_message_id", sa.Uuid(), nullable=True),
        sa.Column("receipt_due_at", INSTANT, nullable=True),
        sa.Column("alarmed_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_delivery_message_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("message_id", "receiver_her_id", name=op.f("uq_delivery_message_id_receiver_her_id")),
    )
    op.create_index(
        "ix_delivery_claim",
        "delivery",
        ["route", "due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
        sqlite_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
        sqlite_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("ix_delivery_receiver_created_at", "delivery", ["receiver_her_id", "created_at"], unique=False)
    op.create_index(
        "ix_delivery_unread",
        "delivery",
        ["receiver_her_id"],
        unique=False,
        postgresql_where=sa.text("read_at IS NULL"),
        sqlite_where=sa.text("read_at IS NULL"),
    )
    op.create_table(
        "payload",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("format", sa.String(length=20), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_payload_message_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_payload")),
    )
    op.create_table(
        "attempt",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_attempt_delivery_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_attempt")),
    )
    op.execute("INSERT INTO position_epoch (one, start) VALUES (1, 0)")


def downgrade() -> None:
    op.drop_table("attempt")
    op.drop_table("payload")
    op.drop_index(
        "ix_delivery_unread",
        table_name="delivery",
        postgresql_where=sa.text("read_at IS NULL"),
        sqlite_where=sa.text("read_at IS NULL"),
    )
    op.drop_index("ix_delivery_receiver_created_at", table_name="delivery")
    op.drop_index(
        "ix_delivery_due",
        table_name="delivery",
        postgresql_where=sa.text("due_at IS NOT NULL"),
        sqlite_where=sa.text("due_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_delivery_claim",
        table_name="delivery",
        postgresql_where=sa.text("state = 'pending'"),
        sqlite_where=sa.text("state = 'pending'"),
    )
    op.drop_table("delivery")
    op.drop_table("client_party")
    op.drop_index(op.f("ix_api_key_client_id"), table_name="api_key")
    op.drop_table("api_key")
    op.drop_index("ix_refusal_received_at_id", table_name="refusal")
    op.drop_index(op.f("ix_refusal_expires_at"), table_name="refusal")
    op.drop_index("ix_refusal_client_id_received_at", table_name="refusal")
    op.drop_table("refusal")
    op.drop_table("position_epoch")
    op.drop_table("party")
    op.drop_index(
        "ix_notification_unread",
        table_name="notification",
        postgresql_where=sa.text("deleted_at IS NULL"),
        sqlite_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_index("ix_notification_her_id_position", table_name="notification")
    op.drop_table("notification")
    op.drop_index("ix_message_received_at_id", table_name="message")
    op.drop_index("ix_message_msg_id", table_name="message")
    op.drop_index("ix_message_conversation_id", table_name="message")
    op.drop_table("message")
    op.drop_table("client")
    op.drop_index("ix_audit_message_id_id", table_name="audit")
    op.drop_table("audit")
