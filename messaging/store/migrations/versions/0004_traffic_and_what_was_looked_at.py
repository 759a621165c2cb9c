"""Traffic by hour, lengths of AppRecs, and deliveries that somebody has looked at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
WRONG = sa.text("handled_at IS NULL AND state IN ('rejected', 'failed')")
COUNTED = ("received", "delivered", "acknowledged", "rejected", "failed", "refused")


def upgrade() -> None:
    op.add_column("delivery", sa.Column("handled_at", INSTANT, nullable=True))
    op.create_index(
        "ix_delivery_wrong", "delivery", ["state", "changed_at"], postgresql_where=WRONG, sqlite_where=WRONG
    )
    op.create_table(
        "traffic",
        sa.Column("hour", INSTANT, nullable=False),
        sa.Column("sender_her_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("receiver_her_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        *(sa.Column(name, sa.Integer(), server_default="0", nullable=False) for name in COUNTED),
        sa.PrimaryKeyConstraint("hour", "sender_her_id", "receiver_her_id", "type", name="pk_traffic"),
    )
    op.create_table(
        "receipt_time",
        sa.Column("day", INSTANT, nullable=False),
        sa.Column("sender_her_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("receiver_her_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("length", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("receipts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "sender_her_id", "receiver_her_id", "type", "length", name="pk_receipt_time"),
    )
    op.create_table(
        "tally",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("leaf_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_tally"),
    )


def downgrade() -> None:
    for table in ("tally", "receipt_time", "traffic"):
        op.drop_table(table)
    op.drop_index("ix_delivery_wrong", table_name="delivery", postgresql_where=WRONG, sqlite_where=WRONG)
    op.drop_column("delivery", "handled_at")
