"""When to try again, and when to stop: full-jitter backoff and a circuit that lets a route rest."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


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


class CircuitState(StrEnum):
    """What a circuit lets through."""

    CLOSED = "closed"
    """Everything."""
    OPEN = "open"
    """Nothing, until its pause is over."""
    HALF_OPEN = "half_open"
    """One attempt, which tells whether the far side is there again."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """One route's health: after `threshold` failures in a row it rests for `pause`, then one attempt tries it."""

    failures: int = 0
    rests_until: datetime | None = None
    threshold: int = 5
    pause: timedelta = timedelta(seconds=30)

    def succeeded(self) -> Circuit:
        """Close the circuit: the far side answered."""
        return Circuit(threshold=self.threshold, pause=self.pause)

    def failed(self, now: datetime) -> Circuit:
        """Count a failure, and let the route rest at the threshold."""
        failures = self.failures + 1
        rests = now + self.pause if failures >= self.threshold else None
        return Circuit(failures, rests, self.threshold, self.pause)

    def state(self, now: datetime) -> CircuitState:
        """Tell what it lets through now."""
        if self.rests_until is None:
            return CircuitState.CLOSED
        return CircuitState.HALF_OPEN if now >= self.rests_until else CircuitState.OPEN

    def admits(self, now: datetime, wanted: int) -> int:
        """Tell how many attempts may start now: as many as wanted, one after a pause, none while it rests."""
        match self.state(now):
            case CircuitState.CLOSED:
                return wanted
            case CircuitState.HALF_OPEN:
                return min(wanted, 1)
            case CircuitState.OPEN:
                return 0
