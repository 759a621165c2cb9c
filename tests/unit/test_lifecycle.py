"""The lifecycle table: what may follow what."""

from __future__ import annotations

import pytest

from messaging.model.lifecycle import FINAL, MOVES, OWNER, Event, State, TransportState, after, transport_state


def test_every_state_can_be_reached_or_is_where_a_delivery_begins() -> None:
    beginnings = {State.PENDING, State.WAITING, State.DELIVERED, State.SUPERSEDED}
    assert set(MOVES.values()) | beginnings == set(State)


def test_every_state_that_is_not_final_has_an_owner_and_a_way_on() -> None:
    for state in State:
        if state in FINAL:
            assert OWNER[state] == ""
        else:
            assert OWNER[state]
            assert any(before is state for before, _ in MOVES)


def test_a_final_state_is_never_left_but_for_a_late_apprec_after_closing() -> None:
    left = {(state, event) for state, event in MOVES if state in FINAL}
    assert left == {(State.CLOSED, Event.ACKNOWLEDGED), (State.CLOSED, Event.REJECTED)}


def test_an_apprec_is_taken_in_every_open_state() -> None:
    for state in set(State) - FINAL:
        assert after(state, Event.ACKNOWLEDGED) is State.ACKNOWLEDGED
        assert after(state, Event.REJECTED) is State.REJECTED


def test_what_comes_too_late_moves_nothing() -> None:
    assert after(State.ACKNOWLEDGED, Event.COLLECTED) is None
    assert after(State.SENT, Event.HANDED_OVER) is None
    assert after(State.ACKNOWLEDGED, Event.REJECTED) is None


def test_every_event_moves_something() -> None:
    assert {event for _, event in MOVES} == set(Event)


@pytest.mark.parametrize(
    ("state", "refused", "expected"),
    [
        (State.PENDING, False, TransportState.UNCONFIRMED),
        (State.SENDING, False, TransportState.UNCONFIRMED),
        (State.WAITING, False, TransportState.ACKNOWLEDGED),
        (State.REJECTED, False, TransportState.ACKNOWLEDGED),
        (State.SUPERSEDED, False, TransportState.ACKNOWLEDGED),
        (State.REJECTED, True, TransportState.REJECTED),
        (State.FAILED, False, TransportState.ABANDONED),
    ],
)
def test_the_transport_state_is_derived(state: State, refused: bool, expected: TransportState) -> None:  # noqa: FBT001
    assert transport_state(state, refused_by_receiver=refused) is expected
