"""Routes are parked and rest for every process alike; when mailboxes were asked for, and whom to call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
EVERYTHING = "(SELECT sees_everything())"
OURS = f"{EVERYTHING} OR her_id = ANY ((SELECT seen_her_ids())::integer[])"


def upgrade() -> None:
    op.create_table(
        "route",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("parked_at", INSTANT, nullable=True),
        sa.Column("parked_by", sa.String(length=140), nullable=True),
        sa.Column("parked_note", sa.String(length=1000), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rests_until", INSTANT, nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.Column("last_error_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_route")),
    )
    op.create_table(
        "mailbox_poll",
        sa.Column("her_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("polled_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("her_id", name=op.f("pk_mailbox_poll")),
    )
    op.create_table(
        "party_contact",
        sa.Column("her_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("email", sa.String(length=200), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("her_id", name=op.f("pk_party_contact")),
    )
    op.create_index("ix_attempt_started_at", "attempt", ["started_at"])
    if op.get_bind().dialect.name == "postgresql":
        for table, seen, written in (
            ("route", EVERYTHING, EVERYTHING),
            ("mailbox_poll", OURS, EVERYTHING),
            ("party_contact", OURS, OURS),
        ):
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            for command, condition in (
                ("select", f"USING ({seen})"),
                ("insert", f"WITH CHECK ({written})"),
                ("update", f"USING ({written}) WITH CHECK ({written})"),
                ("delete", f"USING ({written})"),
            ):
                op.execute(f"CREATE POLICY {table}_{command} ON {table} FOR {command.upper()} {condition}")


def downgrade() -> None:
    op.drop_index("ix_attempt_started_at", table_name="attempt")
    op.drop_table("party_contact")
    op.drop_table("mailbox_poll")
    op.drop_table("route")
