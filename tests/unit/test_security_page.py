"""What the security page claims is there: every item once, every named test and file, every attack tried."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECURITY = runpy.run_path(str(ROOT / "docs" / "security.py"))
ITEMS, ATTACKS = SECURITY["asvs"](), SECURITY["attacks"]()

_LAST = (
    "1.1:2 1.2:9 1.3:11 1.4:3 1.5:2 2.1:3 2.2:3 2.3:4 2.4:1 3.2:2 3.3:4 3.4:6 3.5:5 3.7:2 4.1:3 4.2:1 4.3:2 "
    "4.4:4 5.1:1 5.2:3 5.3:2 5.4:3 6.1:3 6.2:12 6.3:4 6.4:4 6.5:5 6.6:3 6.8:4 7.1:3 7.2:4 7.3:2 7.4:5 7.5:2 "
    "7.6:2 8.1:2 8.2:3 8.3:1 8.4:1 9.1:3 9.2:4 10.1:2 10.2:2 10.3:4 10.4:11 10.5:5 10.6:2 10.7:3 11.1:2 11.2:3 "
    "11.3:3 11.4:4 11.5:1 11.6:1 12.1:3 12.2:2 12.3:4 13.1:1 13.2:5 13.3:2 13.4:5 14.1:2 14.2:4 14.3:3 15.1:3 "
    "15.2:3 15.3:7 16.1:1 16.2:5 16.3:4 16.4:3 16.5:3 17.1:1 17.2:4 17.3:2 "
)
LAST = {section: int(last) for section, last in (pair.split(":") for pair in _LAST.split())}
"""The last item of levels 1 and 2 in each section of ASVS 5.0.0; they begin with 1 and leave none out."""


def test_every_item_of_levels_1_and_2_is_there_once() -> None:
    assert list(ITEMS) == [f"{section}.{number}" for section, last in LAST.items() for number in range(1, last + 1)]
    levels = [item["level"] for item in ITEMS.values()]
    assert (levels.count(1), levels.count(2)) == (70, 183)


def test_every_item_has_a_status_and_a_reason() -> None:
    assert {item["status"] for item in ITEMS.values()} == {"met", "not met", "not applicable"}
    assert [number for number, item in ITEMS.items() if not item["what"] or not item["why"]] == []


def test_what_is_met_is_shown_by_something_and_what_shows_it_exists() -> None:
    assert [number for number, item in ITEMS.items() if (item["status"] == "met") != bool(item.get("shown_by"))] == []
    tests = SECURITY["tests"]()
    missing = []
    for number, item in ITEMS.items():
        for shown in item.get("shown_by", ()):
            file, _, test = shown.partition("::")
            if test not in tests.get(file, ()) and not (test == "" and ((ROOT / file).exists() or file in tests)):
                missing.append(f"{number} {shown}")
    assert missing == []


def test_every_attack_is_tried_or_says_why_not_and_no_test_carries_an_unknown_one() -> None:
    tried = SECURITY["tests_by_attack"]()
    assert list(ATTACKS) == [f"A{number}" for number in range(1, 34)]
    assert [number for number, one in ATTACKS.items() if bool(one.get("untried")) == (number in tried)] == []
    assert set(tried) - set(ATTACKS) == set()


def test_the_page_is_made_from_the_data() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    begin = "## OWASP ASVS"
    assert text.partition(begin)[2] == SECURITY["page"](text).partition(begin)[2], "run: python docs/security.py"


def test_the_page_names_for_each_attack_tests_that_carry_its_number() -> None:
    """A new test need not stand there at once, but none that is gone may."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (A\d+) \| ([^|]+) \| (.*) \|$", text, re.MULTILINE)
    assert [(number, what) for number, what, _ in rows] == [(number, one["what"]) for number, one in ATTACKS.items()]
    tried = SECURITY["tests_by_attack"]()
    named = {number: re.findall(r"`([^`]+)`", tests) for number, _, tests in rows}
    assert [number for number, tests in named.items() if not tests and not ATTACKS[number].get("untried")] == []
    gone = [test for number, tests in named.items() for test in tests if test not in tried.get(number, ())]
    assert gone == [], "run: python docs/security.py"


def sources(*endings: str) -> list[Path]:
    """Every file of the product with one of these endings."""
    found = [file for file in (ROOT / "messaging").rglob("*") if file.suffix in endings]
    assert found
    return found


def test_no_answer_is_opened_to_foreign_pages() -> None:
    opened = re.compile(r"CORSMiddleware|Access-Control-Allow", re.IGNORECASE)
    assert [str(file) for file in sources(".py") if opened.search(file.read_text(encoding="utf-8"))] == []
    assert not opened.search((ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8"))


def test_no_script_keeps_anything_in_the_browser() -> None:
    kept = re.compile(r"localStorage|sessionStorage|indexedDB|document\.cookie|caches\.|JSON\.parse")
    assert [str(file) for file in sources(".js", ".html") if kept.search(file.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("page", ["sign-in.html", "signed-in.html"])
def test_a_passphrase_is_typed_unseen_and_may_be_pasted(page: str) -> None:
    text = (ROOT / "messaging" / "api" / "pages" / page).read_text(encoding="utf-8")
    fields = [tag for tag in re.findall(r"<input [^>]*>", text) if re.search(r'-password"', tag)]
    assert fields
    assert [tag for tag in fields if 'type="password"' not in tag] == []
    scripts = "".join(file.read_text(encoding="utf-8") for file in sources(".js", ".html"))
    assert not re.search(r"onpaste|['\"]paste['\"]", scripts)
