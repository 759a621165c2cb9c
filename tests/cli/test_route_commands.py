"""Routes at the terminal, on both databases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from messaging.cli import app
from messaging.errors import NotFound

runner = CliRunner()


@pytest.fixture
def far(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings with one adapter, called `far`."""
    monkeypatch.setenv("SAMHANDLING_DATABASE_URL", database_url)
    monkeypatch.setenv("SAMHANDLING_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SAMHANDLING_ADAPTERS", json.dumps({"far": {"kind": "memory"}}))


def run(*words: str) -> str:
    done = runner.invoke(app, ["routes", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.usefixtures("far")
def test_a_route_that_one_command_parks_is_parked_for_the_next_until_it_is_resumed() -> None:
    assert "far is parked" in run("park", "far", "--note", "the line is being dug up")
    (told,) = json.loads(run("list", "--format", "json"))
    assert (told["name"], told["standing"], told["note"]) == ("far", "parked", "the line is being dug up")
    assert "the line is being dug up" in run("list")
    assert "far goes on" in run("resume", "far", "--note", "dug down again")
    (told,) = json.loads(run("list", "--format", "json"))
    assert (told["standing"], told["note"]) == ("working", None)


@pytest.mark.usefixtures("far")
def test_a_route_that_is_not_there_is_told_with_where_to_look() -> None:
    with pytest.raises(NotFound, match="samhandling routes list"):
        runner.invoke(app, ["routes", "park", "near", "--note", "no"], catch_exceptions=False)


@pytest.mark.usefixtures("far")
def test_where_nothing_was_given_up_nothing_is_sent_again_and_nobody_is_asked() -> None:
    assert "Nothing was given up that fits." in run("resend", "far", "--note", "in vain")
