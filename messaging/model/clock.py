"""Time: a clock handed down from the composition root, and the one reading of GenDate."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]

OSLO = ZoneInfo("Europe/Oslo")
_LONG_FRACTION = re.compile(r"(\.\d{6})\d+")


def system_clock() -> datetime:
    """Tell the time in UTC."""
    return datetime.now(UTC)


def instant_of(text: str) -> datetime | None:
    """Read an xs:dateTime as an instant in UTC; without an offset it is Norwegian time (Europe/Oslo).

    Fractions beyond microseconds are cut. Returns None for what no calendar knows, such as year 0.
    """
    try:
        read = datetime.fromisoformat(_LONG_FRACTION.sub(r"\1", text.strip()) if "." in text else text.strip())
        return (read if read.tzinfo else read.replace(tzinfo=OSLO)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
