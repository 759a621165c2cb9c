"""What receivers wrote in their AppRecs is no longer kept beside the deliveries: the AppRecs themselves say it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

DELIVERY = sa.table(
    "delivery", sa.column("id", sa.Uuid), sa.column("receipt_errors", sa.JSON().with_variant(JSONB(), "postgresql"))
)


def upgrade() -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.select(DELIVERY).where(DELIVERY.c.receipt_errors.is_not(None))).all()
    for row in rows:
        if row.receipt_errors:
            bare = [{**error, "text": "", "details": ""} for error in row.receipt_errors]
            connection.execute(sa.update(DELIVERY).where(DELIVERY.c.id == row.id).values(receipt_errors=bare))


def downgrade() -> None:
    pass
