"""What a party has not answered stands together, apart from all that it has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_delivery_owed",
        "delivery",
        ["receiver_her_id", "expects_receipt"],
        postgresql_where=sa.text("owner <> ''"),
        sqlite_where=sa.text("owner <> ''"),
    )


def downgrade() -> None:
    op.drop_index("ix_delivery_owed", table_name="delivery")
