"""Watches over the whole suite: no test's log or output may hold the canary, or the number of a person.

What is logged is looked at as `serve` would write it; what is printed as it is, also by servers that a test starts and
whose output it lets through. A test that shows a document on purpose says so with the mark `shows_patients`.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any

import pytest

from canary import leaks
from messaging.logs import formatter


class _Lines(logging.Handler):
    """Keeps the lines of one test, in the form in which they leave the house."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(formatter("json"))
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))

    def drain(self) -> list[str]:
        lines, self._lines = self._lines, []
        return lines


_LINES = _Lines()


def pytest_configure(config: pytest.Config) -> None:
    """Begin to listen, in every process that runs tests."""
    config.addinivalue_line("markers", "shows_patients: prints a document on purpose")
    logging.getLogger().addHandler(_LINES)
    for name in ("messaging", "adapters"):
        logging.getLogger(name).setLevel(logging.INFO)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose log or output tells of a patient."""
    report = yield
    said = [text for name, text in report.sections if name.startswith(("Captured stdout", "Captured stderr"))]
    found = leaks("\n".join([*_LINES.drain(), *said]))
    if found and item.get_closest_marker("shows_patients") is None:
        failed: Any = report
        failed.outcome = "failed"
        failed.longrepr = f"{item.nodeid}: {len(found)} pieces of patients' data in what was logged or printed: {found}"
    return report
