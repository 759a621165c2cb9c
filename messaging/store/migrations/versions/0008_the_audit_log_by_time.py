"""The audit log is found by time, so that who has read what can be told page by page."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_audit_at_id", "audit", ["at", "id"])


def downgrade() -> None:
    op.drop_index("ix_audit_at_id", "audit")
