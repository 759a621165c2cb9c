"""Ids that sort by time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

from hypothesis import given
from hypothesis import strategies as st

from messaging.model.ids import new_id

FIRST = datetime(1970, 1, 2, tzinfo=UTC)
MOMENTS = st.integers(0, 250_000_000_000).map(lambda seconds: FIRST + timedelta(seconds=seconds, milliseconds=1))


@given(MOMENTS)
def test_an_id_is_a_uuid_of_version_7_and_tells_its_millisecond(at: datetime) -> None:
    made = new_id(at)
    assert (made.version, made.variant) == (7, RFC_4122)
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=made.int >> 80) == at


@given(MOMENTS, st.timedeltas(timedelta(milliseconds=1), timedelta(days=400)))
def test_what_is_later_sorts_behind(at: datetime, later: timedelta) -> None:
    assert new_id(at) < new_id(at + later)
    assert str(new_id(at)) < str(new_id(at + later)), "as text too, as SQLite keeps them"


def test_two_of_one_moment_are_two_and_no_bit_of_chance_stands_still() -> None:
    at = datetime(2026, 11, 27, tzinfo=UTC)
    made = [new_id(at).int for _ in range(2_000)]
    assert len(set(made)) == len(made)
    fixed = ((1 << 48) - 1) << 80 | 0xF << 76 | 0b11 << 62
    changed = 0
    for one in made:
        changed |= one ^ made[0]
    assert changed == (1 << 128) - 1 & ~fixed
