"""docs/reliability.md is held to the tests: every fault has its row, and what a row names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (F\d+) \|(.*)$", PAGE, re.MULTILINE))
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
}


def test_every_promise_and_every_fault_has_its_row() -> None:
    assert re.findall(r"^\| (P\d+) \|", PAGE, re.MULTILINE) == [f"P{number}" for number in range(1, 14)]
    assert list(ROWS) == [f"F{number}" for number in range(1, 25)]


@pytest.mark.parametrize("fault", ROWS)
def test_what_a_row_names_is_there_and_a_fault_without_a_test_says_so(fault: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", ROWS[fault]))
    assert named - TESTS == set()
    assert named or "Not tried" in ROWS[fault]


def test_every_test_of_a_fault_stands_in_its_row() -> None:
    of_faults = {name: match[1] for name in TESTS if (match := re.match(r"test_f(\d+)_", name))}
    missing = {name for name, number in of_faults.items() if f"`{name}`" not in ROWS[f"F{number}"]}
    assert missing == set()


def test_every_rule_of_the_checker_stands_on_the_page() -> None:
    checker = (ROOT / "tests" / "faults" / "checker.py").read_text(encoding="utf-8")
    rules = {rule.partition(" ")[0] for rule in re.findall(r'@_rule\("([^"]+)"', checker)}
    assert rules <= set(re.findall(r"\bI\d+\b", PAGE))
