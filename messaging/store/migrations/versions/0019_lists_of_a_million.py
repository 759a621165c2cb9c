"""Lists are quick over a million messages: a party's newest stand together, and so does what has not ended as usual."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

WHOLE = sa.text("reduced_at IS NULL")
UNUSUAL = sa.text("state NOT IN ('acknowledged', 'delivered')")
# OFFSET 0 keeps PostgreSQL from hashing everything that a party ever got, to look at fifty messages of it.
SEEN = """(SELECT sees_everything()) OR sender_her_id = ANY ((SELECT seen_her_ids())::integer[])
    OR EXISTS (SELECT FROM delivery WHERE delivery.message_id = message.id
    AND delivery.receiver_her_id = ANY ((SELECT seen_her_ids())::integer[]){offset})"""


def upgrade() -> None:
    op.create_index(
        "ix_message_sender_received_at",
        "message",
        ["sender_her_id", "received_at", "id"],
        postgresql_where=WHOLE,
        sqlite_where=WHOLE,
    )
    op.create_index(
        "ix_delivery_unusual", "delivery", ["state", "created_at"], postgresql_where=UNUSUAL, sqlite_where=UNUSUAL
    )
    _see(" OFFSET 0")


def downgrade() -> None:
    _see("")
    op.drop_index("ix_delivery_unusual", table_name="delivery")
    op.drop_index("ix_message_sender_received_at", table_name="message")


def _see(offset: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER POLICY message_select ON message USING ({SEEN.format(offset=offset)})")
