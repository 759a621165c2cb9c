"""A message whose metadata's time is over is reduced to what answers a repetition; only whole ones are listed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

WHOLE = sa.text("reduced_at IS NULL")


def upgrade() -> None:
    op.add_column("message", sa.Column("reduced_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("ix_message_received_at_id", table_name="message")
    op.create_index(
        "ix_message_received_at_id", "message", ["received_at", "id"], postgresql_where=WHOLE, sqlite_where=WHOLE
    )
    op.create_index("ix_notification_message_id", "notification", ["message_id"])


def downgrade() -> None:
    op.drop_index("ix_notification_message_id", table_name="notification")
    op.drop_index("ix_message_received_at_id", table_name="message")
    op.create_index("ix_message_received_at_id", "message", ["received_at", "id"])
    op.drop_column("message", "reduced_at")
