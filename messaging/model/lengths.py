"""Lengths of time, each half as long again as the one before: counts of them tell a median and a percentile."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

_STEPS_TO_DOUBLE = 2
LONGEST = 50
"""2^25 seconds: more than a year."""


def length_of(time: timedelta) -> int:
    """Tell which length a time is of: number n holds what lasts more than number n-1, and at most 2^(n/2) seconds."""
    seconds = time.total_seconds()
    if seconds <= 1:
        return 0
    return min(LONGEST, math.ceil(_STEPS_TO_DOUBLE * math.log2(seconds)))


def at_most(length: int) -> timedelta:
    """Tell how long a time of this length lasts at most."""
    return timedelta(seconds=2 ** (length / _STEPS_TO_DOUBLE))


def percentile(counts: Mapping[int, int], part: float) -> timedelta | None:
    """Tell within which time this part of what was counted by length lies, such as 0.95; None when nothing was."""
    total = sum(counts.values())
    if not total:
        return None
    seen = 0
    for length in sorted(counts):
        seen += counts[length]
        if seen >= part * total:
            return at_most(length)
    return at_most(max(counts))
