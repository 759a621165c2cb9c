"""All tables in one: whoever creates, compares or guards them asks here, and misses none."""

from __future__ import annotations

from messaging.store import (
    tables_of_alarms,
    tables_of_counts,
    tables_of_keeping,
    tables_of_keys,
    tables_of_people,
    tables_of_routes,
)
from messaging.store.tables import metadata

__all__ = [
    "metadata",
    "tables_of_alarms",
    "tables_of_counts",
    "tables_of_keeping",
    "tables_of_keys",
    "tables_of_people",
    "tables_of_routes",
]
