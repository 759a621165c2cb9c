# ruff: noqa: INP001 - a script, and no package
"""Write docs/security.md's tables from asvs.toml, attacks.toml and the tests: `python docs/security.py`."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "security.md"
BEGIN = "<!-- from here on written by docs/security.py -->"
_NUMBERED = re.compile(r"test_((?:a\d+_)+)")


def asvs() -> dict[str, dict[str, Any]]:
    """Read every item of the standard as it is met here, by its number."""
    return tomllib.loads((ROOT / "docs" / "asvs.toml").read_text(encoding="utf-8"))


def attacks() -> dict[str, dict[str, str]]:
    """Read every attack, by its number."""
    return tomllib.loads((ROOT / "docs" / "attacks.toml").read_text(encoding="utf-8"))


def tests() -> dict[str, set[str]]:
    """Find every test function, by its file under tests/."""
    found = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        names = {one.name for one in nodes if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
        found[file.relative_to(ROOT / "tests").as_posix()] = {name for name in names if name.startswith("test_")}
    return found


def tests_by_attack() -> dict[str, list[str]]:
    """Find the tests that carry the number of an attack in their name."""
    found: dict[str, list[str]] = {}
    for file, names in tests().items():
        for name in sorted(names):
            numbers = _NUMBERED.match(name)
            for number in re.findall(r"\d+", numbers[1]) if numbers else ():
                found.setdefault(f"A{int(number)}", []).append(f"{file}::{name}")
    return found


def page(text: str) -> str:
    """Put the generated part behind its mark."""
    return f"{text.partition(BEGIN)[0]}{BEGIN}\n\n{_attacks()}\n\n{_asvs()}\n"


def _attacks() -> str:
    by_attack = tests_by_attack()
    rows = (
        (number, one["what"], one.get("untried") or "<br>".join(f"`{test}`" for test in by_attack.get(number, ())))
        for number, one in attacks().items()
    )
    return "## Attacks that are tried\n\nFiles are those under `tests/`.\n\n" + _table(
        ("No.", "Attack", "Tests that carry its number"), rows
    )


def _asvs() -> str:
    items = asvs()
    count = Counter((one["level"], one["status"]) for one in items.values())
    statuses = ("met", "not met", "not applicable")
    sums = _table(
        ("Level", *statuses), ((str(level), *(str(count[level, status]) for status in statuses)) for level in (1, 2))
    )
    unmet = _table(
        ("No.", "Level", "What is asked", "Why it is not met"),
        ((number, str(one["level"]), one["what"], one["why"]) for number, one in items.items() if _is(one, "not met")),
    )
    every = _table(
        ("No.", "Level", "What is asked", "Status", "Why", "Shown by"),
        (
            (number, str(one["level"]), one["what"], one["status"], one["why"], _shown(one))
            for number, one in items.items()
        ),
    )
    return (
        "## OWASP ASVS 5.0, levels 1 and 2\n\nOur own judgement, in our own words; the numbers are the standard's. "
        f"Nobody else has judged it.\n\n{sums}\n\n### Not met\n\n{unmet}\n\n### Every item\n\n{every}"
    )


def _is(item: dict[str, Any], status: str) -> bool:
    return bool(item["status"] == status)


def _shown(item: dict[str, Any]) -> str:
    return "<br>".join(f"`{one}`" for one in item.get("shown_by", ()))


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heading, tuple("---" for _ in heading), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
