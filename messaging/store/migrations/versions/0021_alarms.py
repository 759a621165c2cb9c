"""Alarms are raised by rules, and somebody is told."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
INSTANT = sa.DateTime(timezone=True)
TABLES = ("alarm_rule", "alarm", "telling")
OWN = "(SELECT sees_everything()) OR her_id = ANY ((SELECT seen_her_ids())::integer[])"
OPEN = sa.text("cleared_at IS NULL")
DUE = sa.text("ended_at IS NULL")

HOUR = 3600
FROM_THE_START = (
    ("apprec_overdue", 0, 1),
    ("given_up", 0, 1),
    ("rejected", 4 * HOUR, 1),
    ("uncollected", 0, 1),
    ("unpolled", 0, 1),
    ("parked", HOUR, 1),
    ("expiring", 0, 1),
    ("unsealed", 60, 1),
    ("refused", 0, 25),
)
"""Rules for the whole exchange, so that nothing lies unseen where nobody has made any: kind, seconds, how many."""


def upgrade() -> None:
    rules = op.create_table(
        "alarm_rule",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("her_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("after_seconds", sa.Integer(), nullable=False),
        sa.Column("at_least", sa.Integer(), nullable=False),
        sa.Column("again_seconds", sa.Integer(), nullable=False),
        sa.Column("mail_to", DOCUMENT, nullable=False),
        sa.Column("webhook", sa.String(length=40), nullable=False),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_to", sa.Time(), nullable=True),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_rule")),
    )
    op.create_table(
        "alarm",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("her_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("raised_at", INSTANT, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("oldest", INSTANT, nullable=True),
        sa.Column("told_at", INSTANT, nullable=False),
        sa.Column("cleared_at", INSTANT, nullable=True),
        sa.Column("acknowledged_at", INSTANT, nullable=True),
        sa.Column("acknowledged_by", sa.String(length=140), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    op.create_index("uq_alarm_open", "alarm", ["rule_id"], unique=True, postgresql_where=OPEN, sqlite_where=OPEN)
    op.create_index("ix_alarm_raised_at_id", "alarm", ["raised_at", "id"])
    op.create_table(
        "telling",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alarm_id", sa.Uuid(), nullable=False),
        sa.Column("her_id", sa.Integer(), nullable=True),
        sa.Column("way", sa.String(length=10), nullable=False),
        sa.Column("target", sa.String(length=1000), nullable=False),
        sa.Column("about", sa.String(length=10), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("error", sa.String(length=500), nullable=False, server_default=""),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarm.id"], name=op.f("fk_telling_alarm_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_telling")),
    )
    op.create_index(op.f("ix_telling_alarm_id"), "telling", ["alarm_id"])
    op.create_index("ix_telling_due", "telling", ["due_at"], postgresql_where=DUE, sqlite_where=DUE)
    op.bulk_insert(rules, [_rule(number, *line) for number, line in enumerate(FROM_THE_START, 1)])
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            for command, condition in (
                ("select", f"USING ({OWN})"),
                ("insert", f"WITH CHECK ({OWN})"),
                ("update", f"USING ({OWN}) WITH CHECK ({OWN})"),
                ("delete", f"USING ({OWN})"),
            ):
                op.execute(f"CREATE POLICY {table}_{command} ON {table} FOR {command.upper()} {condition}")


def _rule(number: int, kind: str, after: int, at_least: int) -> dict[str, object]:
    return {
        "id": UUID(int=number),
        "her_id": None,
        "kind": kind,
        "after_seconds": after,
        "at_least": at_least,
        "again_seconds": 24 * HOUR,
        "mail_to": [],
        "webhook": "",
        "quiet_from": None,
        "quiet_to": None,
        "is_on": True,
    }


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
