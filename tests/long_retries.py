"""Long retries in a time of their own: a route whose far side is away, and a judge of what was attempted when.

The exchange's own decisions are made by its model (`RetryPolicy`, `Circuit`); what is played here is only their caller:
who is due is claimed, a few at a time, as `flow/deliver.py` does. The same judge reads what the exchange has done.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from messaging.model.retry import Circuit, CircuitState, RetryPolicy

BEGIN = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
CONCURRENCY = 8
_LATENCY = timedelta(milliseconds=200)
_LEASE = timedelta(seconds=60)

IsAway = Callable[[datetime], bool]


@dataclass
class Life:
    """One delivery: when it was attempted, and what came of it."""

    attempts: list[datetime] = field(default_factory=list)
    delivered_at: datetime | None = None
    gave_up_at: datetime | None = None


def away_for(length: timedelta, *, after: timedelta = timedelta(seconds=1)) -> IsAway:
    """Let the far side be away for so long."""
    begin = BEGIN + after
    return lambda at: begin <= at < begin + length


def play(seed: int, *, messages: int, is_away: IsAway, policy: RetryPolicy) -> list[Life]:
    """Deliver so many messages that all come within the first minute; the same seed is the same run."""
    draw = random.Random(seed)  # noqa: S311 - a simulation
    lives = [Life() for _ in range(messages)]
    due = [(BEGIN + timedelta(seconds=draw.uniform(0, 60)), number) for number in range(messages)]
    heapq.heapify(due)
    circuit, now = Circuit(), BEGIN
    while due:
        now = max(now, due[0][0])
        if circuit.state(now) is CircuitState.OPEN:
            assert circuit.rests_until is not None
            now = circuit.rests_until
        ready = sum(at <= now for at, _ in due[:CONCURRENCY]) if len(due) > 1 else 1
        claimed = [heapq.heappop(due) for _ in range(circuit.admits(now, max(1, ready))) if due and due[0][0] <= now]
        begun, now = now, now + _LATENCY
        for _, number in claimed:
            life = lives[number]
            life.attempts.append(begun)
            if not is_away(begun):
                circuit, life.delivered_at = circuit.succeeded(), now
                continue
            circuit = circuit.failed(now)
            if policy.gives_up(len(life.attempts)):
                life.gave_up_at = now
            else:
                heapq.heappush(due, (now + policy.wait(len(life.attempts), draw=draw.random()), number))
    return lives


def wrong(lives: Sequence[Life], policy: RetryPolicy, *, is_away: IsAway, pause: timedelta) -> list[str]:
    """Say what breaks a promise: an end that is missing or too early, a wait that is too long, an attempt too many."""
    return [
        *(text for number, life in enumerate(lives) for text in _of_one(number, life, policy, is_away)),
        *_hot(sorted(at for life in lives for at in life.attempts if is_away(at)), pause),
    ]


def _of_one(number: int, life: Life, policy: RetryPolicy, is_away: IsAway) -> list[str]:
    found = []
    if (life.delivered_at is None) == (life.gave_up_at is None):
        found.append(f"{number} has no end, or two")
    if len(life.attempts) > policy.give_up_after:
        found.append(f"{number} was attempted {len(life.attempts)} times")
    if life.gave_up_at is not None and len(life.attempts) != policy.give_up_after:
        found.append(f"{number} was given up after {len(life.attempts)} attempts")
    if life.gave_up_at is not None and not all(map(is_away, life.attempts)):
        found.append(f"{number} was given up, though the far side was there")
    if life.delivered_at is not None and is_away(life.attempts[-1]):
        found.append(f"{number} was delivered while the far side was away")
    if sum(not is_away(at) for at in life.attempts) > 1:
        found.append(f"{number} was sent again after it had been delivered")
    return found


def _hot(attempts: Sequence[datetime], pause: timedelta) -> list[str]:
    """Tell of every minute with more attempts than the circuit lets through: the first few, and one for each pause."""
    most = Circuit().threshold + CONCURRENCY + timedelta(minutes=1) / pause + 1
    found, first = [], 0
    for last, at in enumerate(attempts):
        while at - attempts[first] > timedelta(minutes=1):
            first += 1
        if last - first + 1 > most:
            found.append(f"{last - first + 1} attempts within a minute before {at:%H:%M:%S}")
    return found


def latest(length: timedelta, policy: RetryPolicy) -> datetime:
    """Say when everything has its end at the latest: the longest wait after the far side is back, and some minutes."""
    return BEGIN + length + policy.longest + _LEASE + timedelta(minutes=30)
