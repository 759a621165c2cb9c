"""Keys of documents, in tables of their own: one can be destroyed, or backed up, apart from what it opens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "encryption_key",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("master", sa.String(length=16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_encryption_key")),
    )
    op.create_table(
        "payload_key",
        sa.Column("content_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"], ["encryption_key.id"], name=op.f("fk_payload_key_key_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("content_id", name=op.f("pk_payload_key")),
    )

    if op.get_bind().dialect.name == "postgresql":
        _wall_off()
    for table in ("payload", "refusal"):
        op.add_column(table, sa.Column("damaged_at", sa.DateTime(timezone=True), nullable=True))


def _wall_off() -> None:
    """Let a document's key be read by those who may read the document, and written by the exchange itself."""
    everything = "(SELECT sees_everything())"
    of_message = "EXISTS (SELECT FROM message WHERE message.id = payload_key.content_id)"
    of_refusal = "EXISTS (SELECT FROM refusal WHERE refusal.id = payload_key.content_id)"
    seen = f"{everything} OR {of_message} OR {of_refusal}"
    op.execute("ALTER TABLE payload_key ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE payload_key FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY payload_key_select ON payload_key FOR SELECT USING ({seen})")
    op.execute(f"CREATE POLICY payload_key_insert ON payload_key FOR INSERT WITH CHECK ({everything})")
    op.execute(
        f"CREATE POLICY payload_key_update ON payload_key FOR UPDATE USING ({everything}) WITH CHECK ({everything})"
    )
    op.execute(f"CREATE POLICY payload_key_delete ON payload_key FOR DELETE USING ({everything})")


def downgrade() -> None:
    for table in ("refusal", "payload"):
        op.drop_column(table, "damaged_at")
    op.drop_table("payload_key")
    op.drop_table("encryption_key")
