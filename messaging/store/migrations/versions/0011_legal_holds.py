"""Legal holds, which keep documents in spite of their time being over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("review_at", INSTANT, nullable=False),
        sa.Column("placed_at", INSTANT, nullable=False),
        sa.Column("placed_by", sa.String(length=140), nullable=False),
        sa.Column("released_at", INSTANT, nullable=True),
        sa.Column("released_by", sa.String(length=140), nullable=True),
        sa.Column("release_reason", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_hold")),
    )
    if op.get_bind().dialect.name == "postgresql":
        everything = "(SELECT sees_everything())"
        op.execute("ALTER TABLE legal_hold ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE legal_hold FORCE ROW LEVEL SECURITY")
        for command, condition in (
            ("select", f"USING ({everything})"),
            ("insert", f"WITH CHECK ({everything})"),
            ("update", f"USING ({everything}) WITH CHECK ({everything})"),
            ("delete", f"USING ({everything})"),
        ):
            op.execute(f"CREATE POLICY legal_hold_{command} ON legal_hold FOR {command.upper()} {condition}")


def downgrade() -> None:
    op.drop_table("legal_hold")
