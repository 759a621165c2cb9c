"""What is counted from the sealed log, so that nobody counts while somebody waits."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table

from messaging.store.tables import HerId, Instant, metadata

# How many went between whom in each hour: kept up line by line of the sealed log, so that nobody counts while waiting.
traffic = Table(
    "traffic",
    metadata,
    Column("hour", Instant, primary_key=True),
    Column("sender_her_id", HerId, primary_key=True, autoincrement=False),
    Column("receiver_her_id", HerId, primary_key=True, autoincrement=False),
    Column("type", String(60), primary_key=True),
    Column("received", Integer, nullable=False, server_default="0"),
    Column("delivered", Integer, nullable=False, server_default="0"),
    Column("acknowledged", Integer, nullable=False, server_default="0"),
    Column("rejected", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("refused", Integer, nullable=False, server_default="0"),
)

# How long AppRecs took, by day: one row for each length of time, as `model/lengths.py` cuts time into lengths.
receipt_time = Table(
    "receipt_time",
    metadata,
    Column("day", Instant, primary_key=True),
    Column("sender_her_id", HerId, primary_key=True, autoincrement=False),
    Column("receiver_her_id", HerId, primary_key=True, autoincrement=False),
    Column("type", String(60), primary_key=True),
    Column("length", Integer, primary_key=True, autoincrement=False),
    Column("receipts", Integer, nullable=False),
)

# Sums over everything that was ever counted, such as all that was refused with one code; they only grow.
total = Table(
    "total",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("key", String(60), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

tally = Table(
    "tally",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("leaf_index", BigInteger, nullable=False),
)
