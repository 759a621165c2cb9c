"""Links between messages, warnings, overdue receipts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("message", sa.Column("link", sa.String(length=200), nullable=True))
    op.add_column("message", sa.Column("warnings", DOCUMENT, server_default=sa.text("'[]'"), nullable=False))
    # Every message with a status that is kept so far is a MsgHead, which is linked by its conversation.
    op.execute("UPDATE message SET link = conversation_id WHERE status IS NOT NULL")
    op.create_index("ix_message_link", "message", ["link", "sender_her_id", "type"], unique=False)
    op.add_column("delivery", sa.Column("overdue_at", INSTANT, nullable=True))
    # An alarm that was raised about a missing AppRec is not raised again.
    op.execute("UPDATE delivery SET overdue_at = alarmed_at WHERE state <> 'failed' AND alarmed_at >= receipt_due_at")
    op.create_index(
        "ix_delivery_receipt_due",
        "delivery",
        ["overdue_at", "receipt_due_at"],
        unique=False,
        postgresql_where=sa.text("owner <> ''"),
        sqlite_where=sa.text("owner <> ''"),
    )
    op.create_index("ix_refusal_sender_her_id_msg_id", "refusal", ["sender_her_id", "msg_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_refusal_sender_her_id_msg_id", table_name="refusal")
    op.drop_index(
        "ix_delivery_receipt_due",
        table_name="delivery",
        postgresql_where=sa.text("owner <> ''"),
        sqlite_where=sa.text("owner <> ''"),
    )
    op.drop_column("delivery", "overdue_at")
    op.drop_index("ix_message_link", table_name="message")
    op.drop_column("message", "warnings")
    op.drop_column("message", "link")
