"""Months: on PostgreSQL the tables that grow are divided by the time in their ids, and a month goes whole.

The functions belong to whoever owns the tables; the application may call them and has no other business with a part.
"""

from __future__ import annotations

import re
from datetime import date

from sqlalchemy import text

from messaging.store.session import WriteTx

KEPT_OTHERWISE_ON_SQLITE = frozenset({"ix_message_answers_id", "ix_delivery_id", "ix_notification_position"})
"""Indexes that only divided tables need."""

KEPT_OTHERWISE = frozenset(
    {
        "uq_message_sender_her_id_msg_id",
        "uq_message_answers_id_sender_her_id",
        "uq_notification_id",
        "fk_attempt_delivery_id",
        *KEPT_OTHERWISE_ON_SQLITE,
    }
)
"""What cannot hold over months, and what stands in its place; `accepted` keeps MsgIds unique."""

_PART = re.compile(r"(message|payload|payload_key|delivery|notification)_([0-9]{4}_[0-9]{2}|before)")


def is_part(table: str) -> bool:
    """Tell whether a table is a month of another, or what that other was before it was divided."""
    return _PART.fullmatch(table) is not None


async def make(tx: WriteTx, first: date, months: int) -> list[str]:
    """Make months ahead, from that of a day on; names those parts that were not there."""
    asked = {"first": first, "months": months}
    return list(await tx.connection.scalars(text("SELECT * FROM make_months(:first, :months)"), asked))


async def drop(tx: WriteTx, before: date) -> list[str]:
    """Drop the parts of months that ended before a day, and in which nothing is left; names them."""
    return list(await tx.connection.scalars(text("SELECT * FROM drop_months(:before)"), {"before": before}))
