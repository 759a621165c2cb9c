from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.model.retry import Circuit, CircuitState, RetryPolicy

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
POLICY = RetryPolicy(first=timedelta(seconds=2), longest=timedelta(hours=1), give_up_after=20)
CIRCUIT = Circuit(threshold=3, pause=timedelta(seconds=30))


def broken(times: int, circuit: Circuit = CIRCUIT, at: datetime = NOON) -> Circuit:
    for _ in range(times):
        circuit = circuit.failed(at)
    return circuit


@pytest.mark.parametrize(("attempt", "ceiling"), [(1, 2), (2, 4), (3, 8), (10, 1024), (12, 3600), (1_000_000, 3600)])
def test_the_longest_wait_doubles_up_to_its_ceiling(attempt: int, ceiling: int) -> None:
    assert POLICY.wait(attempt, draw=1.0) == timedelta(seconds=ceiling)


@given(attempt=st.integers(1, 100_000))
def test_a_wait_is_anywhere_between_nothing_and_the_ceiling(attempt: int) -> None:
    assert timedelta(0) <= POLICY.wait(attempt) <= POLICY.wait(attempt, draw=1.0) <= POLICY.longest


def test_the_jitter_is_full() -> None:
    waits = [POLICY.wait(12) / POLICY.longest for _ in range(2000)]
    assert min(waits) < 0.05
    assert max(waits) > 0.95
    assert 0.45 < sum(waits) / len(waits) < 0.55


def test_it_gives_up_at_the_last_attempt_and_not_before() -> None:
    assert [attempt for attempt in range(1, 23) if POLICY.gives_up(attempt)] == [20, 21, 22]


def test_an_unbroken_circuit_admits_all_that_is_wanted() -> None:
    assert CIRCUIT.admits(NOON, 8) == 8
    assert broken(2).admits(NOON, 8) == 8


def test_the_circuit_rests_at_the_threshold_until_the_pause_is_over() -> None:
    resting = broken(3)
    assert resting.rests_until == NOON + timedelta(seconds=30)
    assert resting.admits(NOON, 8) == 0
    assert resting.admits(NOON + timedelta(seconds=29, microseconds=999_999), 8) == 0


@pytest.mark.parametrize(("wanted", "admitted"), [(0, 0), (1, 1), (8, 1)])
def test_after_the_pause_one_attempt_tries_the_route(wanted: int, admitted: int) -> None:
    assert broken(3).admits(NOON + timedelta(seconds=30), wanted) == admitted


def test_a_failed_trial_lets_the_route_rest_again_for_a_whole_pause() -> None:
    later = NOON + timedelta(seconds=30)
    again = broken(3).failed(later)
    assert again.rests_until == later + timedelta(seconds=30)
    assert again.admits(later, 8) == 0


def test_a_success_closes_the_circuit_and_forgets_the_failures() -> None:
    closed = broken(3).succeeded()
    assert closed == CIRCUIT
    assert broken(2, closed).admits(NOON, 8) == 8


def test_failures_count_only_in_a_row() -> None:
    assert broken(2, broken(2).succeeded()).rests_until is None


def test_a_circuit_is_closed_then_open_then_half_open_until_the_far_side_answers() -> None:
    resting = broken(3)
    states = [CIRCUIT.state(NOON), resting.state(NOON), resting.state(NOON + timedelta(seconds=30))]
    assert states == [CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN]
    assert resting.succeeded().state(NOON) is CircuitState.CLOSED
