"""The watch over the suite's output can fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from canary import FREE_TEXT, NUMBER, leaks

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent

SUITE = f"""
import logging, subprocess, sys, pytest
from messaging.logs import logger_of
from messaging.model.log import LogEvent

def test_quiet(): logger_of("messaging.x").info(LogEvent.STREAM_ENDED, reason="all is well", count=12345678901)
def test_values_of_libraries(): logging.getLogger("other").error("got %s", "{NUMBER}")
def test_logs_a_number(): logger_of("messaging.x").info(LogEvent.STREAM_ENDED, reason="for {NUMBER}")
def test_logs_words(): logging.getLogger("adapters.x").error("{FREE_TEXT}")
def test_prints(): print("KANARINA")
def test_prints_to_the_other_stream(): print("<{NUMBER}>", file=sys.stderr)
def test_is_printed_by_a_process(): subprocess.run([sys.executable, "-c", "print('{NUMBER}')"], check=True)
@pytest.mark.shows_patients
def test_shows_on_purpose(): print("{NUMBER}")
"""


@pytest.mark.parametrize("more", [(), ("-n", "2")])
def test_what_tells_of_a_patient_fails_and_nothing_else_does(tmp_path: Path, more: tuple[str, ...]) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE, "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "leak_watch", "-p", "no:cacheprovider", "-q", "-rA", *more]
    done = subprocess.run(  # noqa: S603 - our own words
        [*command, "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=ROOT,
        env={"PYTHONPATH": str(TESTS), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    failed = {line.split("::")[1].split()[0].rstrip(":") for line in lines if line.startswith("FAILED")}
    passed = {line.split("::")[1].split()[0] for line in lines if line.startswith("PASSED")}
    assert passed == {"test_quiet", "test_values_of_libraries", "test_shows_on_purpose"}, done.stdout + done.stderr
    assert failed == {
        "test_logs_a_number",
        "test_logs_words",
        "test_prints",
        "test_prints_to_the_other_stream",
        "test_is_printed_by_a_process",
    }


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (NUMBER, 1),
        (f"id={NUMBER};", 1),
        (f"x{NUMBER}", 0),
        (f"{NUMBER}1", 0),
        (f"{NUMBER[:-1]}{(int(NUMBER[-1]) + 1) % 10}", 0),
        ("5f5e94d5-d908-476b-a172-a241c52eddb6", 0),
        ("fuglesangsen", 1),
    ],
)
def test_numbers_of_persons_are_told_from_other_numbers(text: str, count: int) -> None:
    assert len(leaks(text)) == count
