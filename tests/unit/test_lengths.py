"""Lengths of time: what is counted by length can still be told as a time."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from messaging.model.lengths import LONGEST, at_most, length_of, percentile


@given(st.timedeltas(timedelta(0), timedelta(days=300)))
def test_a_time_is_never_longer_than_its_length_says_and_at_most_half_as_long_again_is_lost(time: timedelta) -> None:
    told = at_most(length_of(time))
    assert time <= told + timedelta(milliseconds=1)
    assert told <= max(time * 1.4143, timedelta(seconds=1)) + timedelta(milliseconds=1)


def test_what_lasts_for_ever_has_the_longest_length() -> None:
    assert length_of(timedelta(days=40_000)) == LONGEST


def test_a_percentile_of_nothing_is_nothing_and_of_one_is_that_one() -> None:
    assert percentile({}, 0.5) is None
    assert percentile({10: 1}, 0.5) == percentile({10: 1}, 0.95) == timedelta(seconds=32)


def test_the_median_and_the_95th_part_are_told_apart() -> None:
    counts = {4: 60, 20: 40}
    assert percentile(counts, 0.5) == timedelta(seconds=4)
    assert percentile(counts, 0.95) == timedelta(seconds=1024)
