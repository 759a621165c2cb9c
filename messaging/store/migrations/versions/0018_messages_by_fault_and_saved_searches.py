"""Messages are found by fault codes, and people save their searches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
LISTS = (("message", "warnings"), ("delivery", "receipt_errors"))
OWN = "(SELECT sees_everything()) OR 'person:' || account = (SELECT seeing_client())"


def upgrade() -> None:
    for table, column in LISTS:
        op.create_index(
            f"ix_{table}_{column}",
            table,
            [column],
            postgresql_using="gin",
            postgresql_ops={column: "jsonb_path_ops"},
            postgresql_where=sa.text(f"{column} <> '[]'"),
            sqlite_where=sa.text(f"{column} <> '[]'"),
        )
    op.create_table(
        "saved_search",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("filters", DOCUMENT, nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["account.name"], name=op.f("fk_saved_search_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_search")),
        sa.UniqueConstraint("account", "name", name=op.f("uq_saved_search_account_name")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE saved_search ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE saved_search FORCE ROW LEVEL SECURITY")
        for command, condition in (
            ("select", f"USING ({OWN})"),
            ("insert", f"WITH CHECK ({OWN})"),
            ("update", f"USING ({OWN}) WITH CHECK ({OWN})"),
            ("delete", f"USING ({OWN})"),
        ):
            op.execute(f"CREATE POLICY saved_search_{command} ON saved_search FOR {command.upper()} {condition}")


def downgrade() -> None:
    op.drop_table("saved_search")
    for table, column in LISTS:
        op.drop_index(f"ix_{table}_{column}", table_name=table)
