"""Alarms as the model knows them: when a rule wants one, when nobody is told, and when it is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import pytest

from messaging.model.alarm import LONGEST_RETRY, MOST_ATTEMPTS, AlarmRule, Quiet, next_attempt

NOW = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
NIGHT, NOON = Quiet(time(22), time(7)), Quiet(time(12), time(14))


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        (NIGHT, "2026-03-09T12:00+01:00", "2026-03-09T12:00+01:00"),
        (NIGHT, "2026-03-09T22:00+01:00", "2026-03-10T07:00+01:00"),
        (NIGHT, "2026-03-10T06:59+01:00", "2026-03-10T07:00+01:00"),
        (NIGHT, "2026-03-10T07:00+01:00", "2026-03-10T07:00+01:00"),
        (NIGHT, "2026-03-28T23:00+01:00", "2026-03-29T07:00+02:00"),
        (NIGHT, "2026-10-24T23:00+02:00", "2026-10-25T07:00+01:00"),
        (NOON, "2026-03-09T11:59+01:00", "2026-03-09T11:59+01:00"),
        (NOON, "2026-03-09T12:00+01:00", "2026-03-09T14:00+01:00"),
        (NOON, "2026-03-09T14:00+01:00", "2026-03-09T14:00+01:00"),
    ],
)
def test_in_quiet_hours_it_waits_for_their_end_as_norwegian_clocks_show_it(quiet: Quiet, now: str, until: str) -> None:
    asked = datetime.fromisoformat(now).astimezone(UTC)
    assert quiet.until(asked) == datetime.fromisoformat(until)


@pytest.mark.parametrize(
    ("count", "minutes", "wanted"), [(2, 60, True), (2, 59, False), (1, 60, False), (0, 600, False), (9, -60, True)]
)
def test_a_rule_wants_enough_that_has_lasted_long_enough_or_is_yet_to_come(
    count: int, minutes: int, *, wanted: bool
) -> None:
    rule = AlarmRule(UUID(int=1), None, "given_up", after=timedelta(hours=1), at_least=2)
    assert rule.wants(count, NOW - timedelta(minutes=minutes), NOW) is wanted


def test_the_waits_between_attempts_double_up_to_the_longest_and_end() -> None:
    waits = [next_attempt(number, NOW) for number in range(1, MOST_ATTEMPTS + 1)]
    assert waits[0] == NOW + timedelta(seconds=30)
    assert waits[1] == NOW + timedelta(seconds=60)
    assert waits[-2] == NOW + LONGEST_RETRY
    assert waits[-1] is None
