"""Accounts from the terminal: the first one is made here, and a passphrase is never an argument."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import fixtures
from messaging.app import open_exchange
from messaging.cli import app
from messaging.errors import CallerError
from messaging.flow.sign_in import sign_in
from messaging.settings import load

runner = CliRunner()
GOOD = "kaffe og tykk tåke"


@pytest.fixture(autouse=True)
def _configured(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMHANDLING_DATABASE_URL", database_url)
    monkeypatch.setenv("SAMHANDLING_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SAMHANDLING_DISK_RESERVE_BYTES", "0")
    (tmp_path / "parties.toml").write_bytes(fixtures.PARTIES.read_bytes())
    run("parties", "import", str(tmp_path / "parties.toml"))


def run(*words: str, typed: str = "") -> str:
    done = runner.invoke(app, list(words), input=typed, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def show(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run("accounts", "show", name, "--format", "json"))
    return told


def signs_in(name: str, passphrase: str) -> bool:
    async def act() -> bool:
        async with open_exchange(load()) as exchange:
            try:
                await sign_in(exchange, name, passphrase)
            except CallerError:
                return False
            return True

    return asyncio.run(act())


def test_an_account_is_made_changed_shut_and_opened_again() -> None:
    made = run("accounts", "add", "kari", "--role", "operator", "--display-name", "Kari på vakt", typed=f"{GOOD}\n")
    assert GOOD not in made
    assert signs_in("kari", GOOD)
    told = show("kari")
    assert (told["display_name"], told["role"], told["her_ids"], told["disabled_at"]) == (
        "Kari på vakt",
        "operator",
        [],
        None,
    )
    assert [one["way"] for one in told["sign_ins"]] == ["passphrase"]
    run("accounts", "role", "kari", "party", "--her-id", "8110001")
    told = show("kari")
    assert (told["role"], told["her_ids"], told["sign_ins"]) == ("party", [8110001], [])
    generated = run("accounts", "password", "kari", "--generate").strip()
    assert (signs_in("kari", GOOD), signs_in("kari", generated)) == (False, True)
    run("accounts", "disable", "kari")
    assert not signs_in("kari", generated)
    run("accounts", "enable", "kari")
    for _ in range(6):
        assert not signs_in("kari", GOOD)
    assert show("kari")["locked_until"]
    run("accounts", "unlock", "kari")
    assert signs_in("kari", generated)
    assert "kari" in run("accounts", "list")
    assert [row["name"] for row in json.loads(run("accounts", "list", "--format", "json"))] == ["kari"]
    assert "8110001" in run("accounts", "show", "kari")
    log = run("audit", "show", "--format", "json")
    for word in (generated, GOOD, "Kari på vakt"):
        assert word not in log


@pytest.mark.parametrize("words", [["show", "nobody"], ["disable", "nobody"], ["add", "x", "--role", "auditor"]])
def test_what_cannot_be_done_is_told_in_words(words: list[str]) -> None:
    with pytest.raises(CallerError):
        run("accounts", *words, typed="short\n")
