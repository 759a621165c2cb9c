"""The offsets of notifications on PostgreSQL: the transaction's own id, and a number within it.

A sequence would hand a low number to a transaction that commits late, and a poller past it would never see the row.
"""

from __future__ import annotations

BITS = 16
"""Notifications in one transaction are numbered below its id shifted by so many bits."""

MOST_IN_ONE_TRANSACTION = 1 << BITS

_EPOCH = "(SELECT start FROM position_epoch)"
FIRST_POSITION = f"(pg_current_xact_id()::text::bigint << {BITS}) + {_EPOCH}"
"""The offset that this transaction numbers from; what it writes lies above."""
SETTLED_POSITION = f"(pg_snapshot_xmin(pg_current_snapshot())::text::bigint << {BITS}) + {_EPOCH}"
"""Below this offset nothing new can appear: every transaction that could write there has ended."""
