"""The report of the benchmarks: medians, goals, and the place in the page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.report import BEGIN, END, PAGE, Row, chart, goal, line, table, written

RATIO = Row("accepted", "the limit", "SQLite", "", 0.5, at_least=True, rounds=(0.7, 0.4, 0.6), beside="700 a second")
TIME = Row("from the start", "", "SQLite", "s", 2, at_least=False, rounds=(1.5, 2.5, 3.0))
ABOUT = {"commit": "abc", "at": "2026-03-09", "machine": "a machine", "rounds": 3, "seconds": 4.0}


def test_the_median_of_the_rounds_decides_whether_a_goal_is_met() -> None:
    assert (RATIO.middle, RATIO.is_met) == (0.6, True)
    assert (TIME.middle, TIME.is_met) == (2.5, False)
    assert replace(RATIO, goal=0.61).is_met is False
    assert replace(TIME, goal=2.5).is_met is True


def test_a_line_and_a_table_say_median_spread_and_goal() -> None:
    assert "0.60 (0.40 to 0.70), goal ≥ 0.5: met" in line(RATIO)
    assert "2.50 s (1.50 s to 3.00 s), goal ≤ 2 s: NOT MET" in line(TIME)
    assert "| accepted (700 a second) | the limit | SQLite | 0.60 | 0.40 to 0.70 | ≥ 0.5 | met |" in table(
        [RATIO, TIME]
    )
    assert "**not met**" in table([TIME])
    assert goal(replace(TIME, unit="ms", goal=50)) == "≤ 50 ms"


def test_the_table_takes_the_place_between_its_marks_and_nothing_else() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    new = written(page, ABOUT, [RATIO])
    assert new.startswith(f"before\n{BEGIN}\n")
    assert new.endswith(f"{END}\nafter\n")
    assert "old" not in new
    assert written(new, ABOUT, [RATIO]) == new
    with pytest.raises(ValueError, match="no place"):
        written("nothing", ABOUT, [RATIO])
    assert BEGIN in PAGE.read_text("utf-8")


def test_the_chart_shows_each_row_as_a_part_of_its_goal() -> None:
    drawn = chart([RATIO, TIME])
    assert drawn.startswith("<svg")
    assert "120%" in drawn.replace(" ", "") or ">120<" in drawn
