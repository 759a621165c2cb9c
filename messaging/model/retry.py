"""When to try again, and when to stop: full-jitter backoff and a circuit that parks a route."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patiently a delivery is attempted: waits grow from `first` to `longest`, until `give_up_after` attempts."""

    first: timedelta = timedelta(seconds=2)
    longest: timedelta = timedelta(hours=12)
    give_up_after: int = 20

    def wait(self, attempt: int, *, draw: float | None = None) -> timedelta:
        """Tell how long to wait after an attempt (1 is the first): anywhere up to the doubled ceiling (full jitter)."""
        ceiling: timedelta = min(self.longest, self.first * 2 ** min(attempt - 1, 40))
        return ceiling * (draw if draw is not None else random.random())  # noqa: S311 - jitter, no secret

    def gives_up(self, attempt: int) -> bool:
        """Tell whether the given attempt was the last."""
        return attempt >= self.give_up_after


@dataclass(frozen=True, slots=True)
class Circuit:
    """One route's health: after `threshold` failures in a row it is parked for `pause`, then one attempt tries it."""

    failures: int = 0
    parked_until: datetime | None = None
    threshold: int = 5
    pause: timedelta = timedelta(seconds=30)

    def succeeded(self) -> Circuit:
        """Close the circuit: the far side answered."""
        return Circuit(threshold=self.threshold, pause=self.pause)

    def failed(self, now: datetime) -> Circuit:
        """Count a failure, and park the route at the threshold."""
        failures = self.failures + 1
        parked = now + self.pause if failures >= self.threshold else None
        return Circuit(failures, parked, self.threshold, self.pause)

    def admits(self, now: datetime, wanted: int) -> int:
        """Tell how many attempts may start now: as many as wanted, one after a pause, none while parked."""
        if self.parked_until is None:
            return wanted
        return min(wanted, 1) if now >= self.parked_until else 0
