"""How often somebody may ask: a token bucket, told as the time at which it will be full again (GCRA)."""

from __future__ import annotations

from collections.abc import Hashable

_NOTHING = 1e-9
"""Seconds: what the rounding of numbers makes of nothing."""
_MOST = 10_000
"""So many buckets are looked after before the full ones, which say nothing, are forgotten."""


class Rates:
    """A bucket for each key: it holds `burst` and fills with `rate` a second. A rate of 0 sets no limit."""

    def __init__(self, rate: float, burst: int) -> None:
        self._each = 1 / rate if rate else 0.0
        self._depth = self._each * burst
        self._full_at: dict[Hashable, float] = {}

    def take(self, key: Hashable, now: float) -> float:
        """Take one out of a bucket: 0, or the seconds until there is one. `now` is of a clock that never jumps."""
        wait = self.wait(key, now)
        if not wait and self._each:
            self._full_at[key] = self._next(key, now)
            self._forget_the_full(now)
        return wait

    def wait(self, key: Hashable, now: float) -> float:
        """Look, and take nothing: 0 when there is one, or the seconds until there is."""
        wait = self._next(key, now) - now - self._depth
        return wait if wait > _NOTHING else 0.0

    def _next(self, key: Hashable, now: float) -> float:
        return max(self._full_at.get(key, now), now) + self._each

    def _forget_the_full(self, now: float) -> None:
        if len(self._full_at) > _MOST:
            self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
