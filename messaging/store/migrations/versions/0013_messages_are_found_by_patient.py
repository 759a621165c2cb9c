"""A keyed hash of the patient's number, by which messages are found; `samhandling patient index` fills older rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("patient_hash", sa.LargeBinary(), nullable=True))
    op.create_index("ix_message_patient_hash", "message", ["patient_hash"])


def downgrade() -> None:
    op.drop_index("ix_message_patient_hash", table_name="message")
    op.drop_column("message", "patient_hash")
