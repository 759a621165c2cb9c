"""Limits of API keys, certificates, tokens of others, and used proofs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("api_key", sa.Column("scopes", DOCUMENT, nullable=True))
    op.add_column("api_key", sa.Column("networks", DOCUMENT, nullable=True))
    op.add_column("api_key", sa.Column("last_used_at", INSTANT, nullable=True))
    op.create_table(
        "client_certificate",
        sa.Column("spki", sa.LargeBinary(length=32), nullable=False),
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("not_after", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_client_certificate_client_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("spki", name=op.f("pk_client_certificate")),
    )
    op.create_index(op.f("ix_client_certificate_client_id"), "client_certificate", ["client_id"])
    op.create_table(
        "client_token",
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("token_client", sa.String(length=200), nullable=False),
        sa.Column("parent", sa.String(length=20), server_default="", nullable=False),
        sa.Column("child", sa.String(length=20), server_default="", nullable=False),
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_client_token_client_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("issuer", "token_client", "parent", "child", name=op.f("pk_client_token")),
    )
    op.create_index(op.f("ix_client_token_client_id"), "client_token", ["client_id"])
    op.create_table(
        "used_proof",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_used_proof")),
    )
    op.create_index(op.f("ix_used_proof_expires_at"), "used_proof", ["expires_at"])


def downgrade() -> None:
    op.drop_table("used_proof")
    op.drop_table("client_token")
    op.drop_table("client_certificate")
    for column in ("last_used_at", "networks", "scopes"):
        op.drop_column("api_key", column)
