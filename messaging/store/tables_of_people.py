"""What is kept of people who sign in: accounts, their wrong passphrases in a row, and who is signed in."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, String, Table, UniqueConstraint, Uuid

from messaging.store.tables import Document, Instant, metadata

account = Table(
    "account",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("display_name", String(100), nullable=False),
    Column("role", String(20), nullable=False),
    Column("password_hash", String(200)),
    Column("password_changed_at", Instant),
    # Who vouches for the person instead of a passphrase, and as whom (OpenID Connect's iss and sub).
    Column("issuer", String(300)),
    Column("subject", String(255)),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    Column("signed_in_at", Instant),
    UniqueConstraint("issuer", "subject"),
)

account_party = Table(
    "account_party",
    metadata,
    Column("account", ForeignKey("account.name", ondelete="CASCADE"), primary_key=True),
    Column("her_id", ForeignKey("party.her_id", ondelete="CASCADE"), primary_key=True),
)

# One row for all browsers that have never signed in to the account, and one for each that has and then failed. Tries at
# names that are no accounts are counted too, under no name, so that they cost the same: hence no foreign key.
failed_sign_in = Table(
    "failed_sign_in",
    metadata,
    Column("account", String(40), primary_key=True),
    Column("browser", String(40), primary_key=True),
    Column("in_a_row", Integer, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("locked_until", Instant),
)

sign_in = Table(
    "sign_in",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("account", ForeignKey("account.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("way", String(20), nullable=False),
    Column("address", String(45), nullable=False, server_default=""),
    Column("began_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False, index=True),
)

# What somebody searches for again and again: the filters of the list of messages, as they stand in its address.
saved_search = Table(
    "saved_search",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account", ForeignKey("account.name", ondelete="CASCADE"), nullable=False),
    Column("name", String(80), nullable=False),
    Column("filters", Document, nullable=False),
    Column("saved_at", Instant, nullable=False),
    UniqueConstraint("account", "name"),
)

__all__ = ["account", "account_party", "failed_sign_in", "metadata", "saved_search", "sign_in"]
