"""GenDate: its text is kept, and its instant is read once, here."""

from __future__ import annotations

import pytest

from messaging.model.clock import instant_of


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2018-02-02T15:40:23", "2018-02-02T14:40:23+00:00"),  # no offset: Norwegian winter
        ("2018-07-02T15:40:23", "2018-07-02T13:40:23+00:00"),  # and summer
        ("2018-02-02T15:40:23Z", "2018-02-02T15:40:23+00:00"),
        ("2026-03-09T16:15:14.884979286+01:00", "2026-03-09T15:15:14.884979+00:00"),
        (" 2018-02-02T15:40:23-05:00 ", "2018-02-02T20:40:23+00:00"),
    ],
)
def test_a_gen_date_is_read_as_the_standard_means_it(text: str, instant: str) -> None:
    read = instant_of(text)
    assert read is not None
    assert read.isoformat() == instant


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2018-02-30T10:00:00", "0000-01-01T00:00:00", "0001-01-01T00:00:00+14:00"]
)
def test_what_no_calendar_knows_is_no_instant(text: str) -> None:
    assert instant_of(text) is None
