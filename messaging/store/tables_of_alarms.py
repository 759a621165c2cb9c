"""Alarms: the rules for them, those that were raised, and who was told."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Time, Uuid, text

from messaging.store.tables import Document, HerId, Instant, metadata

# The party that a row is about stands in each of them, for the wall; none is the whole exchange.
alarm_rule = Table(
    "alarm_rule",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("her_id", HerId),
    Column("kind", String(20), nullable=False),
    Column("after_seconds", Integer, nullable=False),
    Column("at_least", Integer, nullable=False),
    Column("again_seconds", Integer, nullable=False),
    Column("mail_to", Document, nullable=False),
    Column("webhook", String(40), nullable=False),
    Column("quiet_from", Time),
    Column("quiet_to", Time),
    Column("is_on", Boolean, nullable=False),
)

# The rule may have been deleted since, and its alarms stay as history.
alarm = Table(
    "alarm",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("rule_id", Uuid, nullable=False),
    Column("her_id", HerId),
    Column("kind", String(20), nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("count", Integer, nullable=False),
    Column("oldest", Instant),
    Column("told_at", Instant, nullable=False),
    Column("cleared_at", Instant),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", String(140)),
    Column("note", String(500)),
    Index(
        "uq_alarm_open",
        "rule_id",
        unique=True,
        postgresql_where=text("cleared_at IS NULL"),
        sqlite_where=text("cleared_at IS NULL"),
    ),
    Index("ix_alarm_raised_at_id", "raised_at", "id"),
)

telling = Table(
    "telling",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("alarm_id", ForeignKey("alarm.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("her_id", HerId),
    Column("way", String(10), nullable=False),
    Column("target", String(1000), nullable=False),
    Column("about", String(10), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_until", Instant),
    Column("ended_at", Instant),
    Column("error", String(500), nullable=False, server_default=""),
    Index(
        "ix_telling_due",
        "due_at",
        postgresql_where=text("ended_at IS NULL"),
        sqlite_where=text("ended_at IS NULL"),
    ),
)

__all__ = ["alarm", "alarm_rule", "metadata", "telling"]
