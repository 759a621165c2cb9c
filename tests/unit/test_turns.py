"""Which of two linked messages is the later one, and what became of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest

from messaging.model.message import DispatchStatus
from messaging.model.succession import Succession, Turn, among, latest

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
NEW, CHANGE, CANCELLATION = DispatchStatus


def turn(number: int, status: DispatchStatus, minutes: int = 0) -> Turn:
    return Turn(UUID(int=number), status, NOON + timedelta(minutes=minutes))


def test_a_change_and_a_cancellation_supersede_what_was_written_before_them_and_a_new_message_nothing() -> None:
    first = turn(1, NEW)
    assert turn(2, CHANGE, 1).supersedes(first)
    assert turn(2, CANCELLATION, 1).supersedes(first)
    assert not turn(2, NEW, 1).supersedes(first)
    assert not turn(2, CANCELLATION, -1).supersedes(first)


@pytest.mark.parametrize(("later", "earlier"), [(CHANGE, NEW), (CANCELLATION, NEW), (CANCELLATION, CHANGE)])
def test_of_two_with_one_gen_date_the_change_comes_after_what_it_changes(
    later: DispatchStatus, earlier: DispatchStatus
) -> None:
    assert turn(2, later).supersedes(turn(1, earlier))
    assert not turn(1, earlier).supersedes(turn(2, later))


def test_two_changes_with_one_gen_date_do_not_supersede_each_other() -> None:
    assert not turn(2, CHANGE).supersedes(turn(1, CHANGE))


def test_the_last_word_is_valid_whatever_the_order_in_which_they_are_read() -> None:
    family = [turn(1, NEW), turn(2, CHANGE, 1), turn(3, CHANGE, 2), turn(4, CANCELLATION, 3)]
    ids = [one.message_id for one in family]
    for order in permutations(family):
        assert among(ids[0], order) == Succession(ids[3], ())
        assert among(ids[2], order) == Succession(ids[3], (ids[0], ids[1]))
        assert among(ids[3], order) == Succession(None, (ids[0], ids[1], ids[2]))
    assert among(UUID(int=9), family) == Succession()
    assert latest([]) is None


def test_a_gen_date_that_no_calendar_knows_gives_way_to_the_time_of_receipt() -> None:
    row = {"id": UUID(int=1), "status": "C", "gen_instant": None, "received_at": NOON}
    assert Turn.of(row) == turn(1, CANCELLATION)
