"""`samhandling top`: the overview in a terminal, on both databases; live in a real terminal until Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from canary import leaks, planted
from messaging.cli import app
from messaging.cli.topping import look, shown, told
from messaging.flow import receive
from messaging.flow.receive import Handed
from world import World

runner = CliRunner()

STARTED = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("messaging", run_name="__main__", alter_sys=True)
"""
"""Started as from a terminal: whoever runs tests in the background lets children ignore Ctrl-C."""


@pytest.fixture
def named(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings with one adapter, called `far`."""
    monkeypatch.setenv("SAMHANDLING_DATABASE_URL", database_url)
    monkeypatch.setenv("SAMHANDLING_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SAMHANDLING_ADAPTERS", json.dumps({"far": {"kind": "memory"}}))


def text_of(seen: object) -> str:
    console = Console(file=StringIO(), width=120)
    console.print(seen)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("named")
def test_once_tells_a_person_and_a_script_the_same_and_ends() -> None:
    done = runner.invoke(app, ["top", "--once"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "Nothing needs anybody." in done.output
    assert "far" in done.output
    done = runner.invoke(app, ["top", "--format", "json"], catch_exceptions=False)
    found = json.loads(done.output)
    assert [one["count"] for one in found["needs"]] == [0] * len(found["needs"]) != []
    assert found["routes"] == [{"name": "far", "standing": "working", "waiting": 0}]
    assert found["lastDay"]["received"] == 0


async def test_what_waits_too_long_is_told_with_its_age_and_nothing_of_a_patient(running: World) -> None:
    document = planted("valid/plo/1.6/log_innlagt_n.xml")
    await receive.receive(running.exchange, running.clients["sykehus"], Handed(document, "test"))
    running.clock.forward(days=400)
    seen = await look(running.exchange)
    text = text_of(shown(seen))
    assert "AppRecs overdue" in text
    assert "400 d" in text
    assert leaks(text + json.dumps(told(seen), default=str)) == []
    assert told(seen)["open"]["waiting"]["count"] == 1


async def test_a_problem_stands_above_what_was_last_seen(running: World) -> None:
    text = text_of(shown(await look(running.exchange), "The database does not answer [bold]; repeat."))
    assert "does not answer [bold]; repeat." in text, "nothing is read as markup"


@pytest.mark.usefixtures("named")
def test_in_a_terminal_it_goes_on_until_ctrl_c_and_leaves_the_screen_as_it_was() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-c", STARTED, "top", "--every", "0.5"],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.STDOUT,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
        start_new_session=True,
    )
    os.close(theirs)
    printed = b""
    try:
        until = time.monotonic() + 60
        while printed.count(b"Samhandling") < 2 and time.monotonic() < until:
            if select.select([ours], [], [], 1)[0]:
                printed += os.read(ours, 65_536)
        process.send_signal(signal.SIGINT)
        while process.poll() is None and time.monotonic() < until:
            if select.select([ours], [], [], 0.2)[0]:
                printed += _rest(ours)
        printed += _rest(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert printed.count(b"Samhandling") >= 2, printed[-2000:]
    assert process.returncode == 0
    assert b"\x1b[?1049l" in printed, "the screen from before is back"
    assert b"Traceback" not in printed


def _rest(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536) if select.select([terminal], [], [], 0)[0] else b""
    except OSError:  # Linux says so where the other side has gone
        return b""
