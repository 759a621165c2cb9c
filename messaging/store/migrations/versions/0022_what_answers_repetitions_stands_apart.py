"""What answers a repetition stands in a table of its own, for ever, and a message whose time is over goes whole."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
INSTANT = sa.DateTime(timezone=True)
WHOLE = sa.text("reduced_at IS NULL")
KEPT = "id, sender_her_id, msg_id, digest, received_at, warnings, answers_id"
INDEXES = {
    "ix_message_received_at_id": ["received_at", "id"],
    "ix_message_sender_received_at": ["sender_her_id", "received_at", "id"],
}


def upgrade() -> None:
    op.create_table(
        "accepted",
        sa.Column("sender_her_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("msg_id", sa.String(length=200), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("warnings", DOCUMENT, nullable=False),
        sa.Column("answers_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("sender_her_id", "msg_id", name=op.f("pk_accepted")),
        sa.UniqueConstraint("answers_id", "sender_her_id", name=op.f("uq_accepted_answers_id_sender_her_id")),
    )
    op.execute(f"INSERT INTO accepted ({KEPT}) SELECT {KEPT} FROM message")  # noqa: S608 - columns of ours
    op.execute("DELETE FROM message WHERE reduced_at IS NOT NULL")
    for name, columns in INDEXES.items():
        op.drop_index(name, table_name="message")
        op.create_index(name, "message", columns)
    op.drop_column("message", "reduced_at")
    if op.get_bind().dialect.name == "postgresql":
        everything, own = "(SELECT sees_everything())", "sender_her_id = ANY ((SELECT seen_her_ids())::integer[])"
        op.execute("ALTER TABLE accepted ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE accepted FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY accepted_select ON accepted FOR SELECT USING ({everything} OR {own})")
        op.execute(f"CREATE POLICY accepted_insert ON accepted FOR INSERT WITH CHECK ({everything})")
        op.execute(
            "CREATE TRIGGER accepted_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON accepted "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    for change in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER accepted_refuses_{change} BEFORE {change} ON accepted BEGIN "
            "SELECT RAISE(ABORT, 'accepted is append-only: what is written there is neither changed nor removed'); END"
        )


def downgrade() -> None:
    empty = "''::bytea" if op.get_bind().dialect.name == "postgresql" else "X''"
    op.add_column("message", sa.Column("reduced_at", INSTANT, nullable=True))
    op.execute(
        f"""INSERT INTO message ({KEPT}, type, namespace, version, processing_status, gen_date, size, door, client_id,
        patient_hash, reduced_at) SELECT {KEPT}, '', '', '', '', '', 0, '', '', {empty}, received_at FROM accepted
        WHERE NOT EXISTS (SELECT 1 FROM message WHERE message.id = accepted.id)"""  # noqa: S608 - columns of ours
    )
    for name, columns in INDEXES.items():
        op.drop_index(name, table_name="message")
        op.create_index(name, "message", columns, postgresql_where=WHOLE, sqlite_where=WHOLE)
    op.drop_table("accepted")
