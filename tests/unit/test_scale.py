"""The simulation behind docs/scale.md keeps its own laws."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.scale import SHAPES, Costs, Habits, Shape, most, play, processes_for, table, used

COSTS, HABITS = Costs(), Habits()
ONE = Shape("one", 1, 2)


@pytest.mark.parametrize("per_second", [1.0, 60.0, 200.0])
@pytest.mark.parametrize("shape", SHAPES[:4], ids=lambda shape: shape.name)
def test_nothing_is_lost_and_no_part_works_more_than_all_the_time(shape: Shape, per_second: float) -> None:
    told = play(shape, COSTS, per_second, seconds=5)
    assert told.arrived == len(told.answered) + told.waiting
    assert 0 < told.server <= 1
    assert 0 < told.database <= 1
    assert all(seconds > 0 for seconds in told.answered)


def test_the_same_seed_plays_the_same() -> None:
    assert play(ONE, COSTS, 50, seconds=5, seed=7) == play(ONE, COSTS, 50, seconds=5, seed=7)
    assert play(ONE, COSTS, 50, seconds=5, seed=7) != play(ONE, COSTS, 50, seconds=5, seed=8)


def test_a_process_that_is_offered_more_than_it_can_do_does_what_it_can() -> None:
    limit = 1000 / COSTS.server_ms
    below, above = (play(ONE, COSTS, limit * part, seconds=20) for part in (0.7, 1.5))
    assert below.waiting < 5, "it keeps up"
    assert above.server == pytest.approx(1, abs=0.02)
    assert above.within(0.5) > 20 * below.within(0.5), "and whoever comes then waits"


def test_what_comes_during_a_commit_shares_the_next() -> None:
    slow = replace(COSTS, fsync_ms=50, server_ms=1)
    told = play(ONE, slow, 400, seconds=5)
    assert told.waiting < 400 * 0.2, "a slow disk is no limit"
    assert len(told.answered) / told.groups == pytest.approx(400 * 0.05, rel=0.2)


def test_twice_the_cost_is_half_the_volume_and_twice_the_processes_twice_as_much() -> None:
    roomy = replace(ONE, disk_bytes=1e18)
    full = most(roomy, COSTS, HABITS)
    assert most(roomy, replace(COSTS, server_ms=2 * COSTS.server_ms), HABITS) == pytest.approx(full / 2, rel=0.01)
    wide = replace(roomy, servers=2, database_cores=64)
    assert most(wide, COSTS, HABITS) == pytest.approx(2 * full, rel=0.01)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_at_its_most_a_shape_is_full_and_not_over_full(shape: Shape) -> None:
    assert max(used(shape, COSTS, HABITS, most(shape, COSTS, HABITS)).values()) == pytest.approx(0.7, abs=0.01)


def test_each_shape_takes_more_than_the_one_before_and_the_last_a_nation_ten_times_over() -> None:
    limits = [most(shape, COSTS, HABITS) for shape in SHAPES]
    assert limits == sorted(limits)
    assert limits[-1] > 10**10 / HABITS.working_days


def test_the_table_names_every_shape_and_every_volume_has_one_that_is_enough() -> None:
    told = "\n".join(table(COSTS, HABITS))
    assert all(shape.name in told for shape in SHAPES)
    assert "none of these" not in told


def test_the_processes_for_a_volume_are_the_fewest_that_are_not_full() -> None:
    roomy = replace(SHAPES[3], disk_bytes=1e18, database_cores=1000)
    number = processes_for(COSTS, HABITS, 3_000_000)
    assert used(replace(roomy, servers=number), COSTS, HABITS, 3_000_000)["server processes"] <= 0.7
    assert used(replace(roomy, servers=number - 1), COSTS, HABITS, 3_000_000)["server processes"] > 0.7
