"""Messages are found by the message that they answer: the stay that a referral and its Epikrise share, and searches."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_message_parent_id", "message", ["parent_id"])


def downgrade() -> None:
    op.drop_index("ix_message_parent_id", table_name="message")
