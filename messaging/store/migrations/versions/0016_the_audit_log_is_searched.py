"""The audit log is searched: lines are found by what happened, by who did it, and by the party that they are about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_audit_event_at_id", "audit", ["event", "at", "id"])
    op.create_index("ix_audit_actor_at_id", "audit", ["actor", "at", "id"])
    op.create_index(
        "ix_audit_her_id_at_id",
        "audit",
        ["her_id", "at", "id"],
        postgresql_where=sa.text("message_id IS NULL"),
        sqlite_where=sa.text("message_id IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_audit_her_id_at_id", table_name="audit")
    op.drop_index("ix_audit_actor_at_id", table_name="audit")
    op.drop_index("ix_audit_event_at_id", table_name="audit")
