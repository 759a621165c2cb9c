"""The terminal's commands about who may call: what they change, what they print, and the trail that they leave."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from certificates import self_signed
from messaging.cli import app
from messaging.errors import InvalidRequest, NotFound

runner = CliRunner()
PARTIES = """
[[party]]
her_id = 1
name = "Sykehus"
kind = "organisation"
[[party]]
her_id = 11
name = "Avdeling"
parent_her_id = 1
[[party]]
her_id = 12
name = "Poliklinikk"
parent_her_id = 1
"""


def run(*words: str) -> str:
    done = runner.invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.strip()


def shown(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run("clients", "show", name, "--format", "json"))
    return told


def trail() -> list[str]:
    lines = json.loads(run("audit", "show", "--format", "json", "--limit", "200"))
    return [line["event"] for line in lines]


@pytest.fixture(autouse=True)
def ward(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMHANDLING_DATABASE_URL", database_url)
    monkeypatch.setenv("SAMHANDLING_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SAMHANDLING_DISK_RESERVE_BYTES", "0")
    (tmp_path / "parties.toml").write_text(PARTIES, encoding="utf-8")
    run("parties", "import", str(tmp_path / "parties.toml"))
    run("clients", "add", "ward", "--her-id", "11", "--no-key")


def test_a_key_is_limited_listed_and_revoked() -> None:
    key = run("clients", "key", "add", "ward", "--days", "1", "--scope", "collect", "--from", "192.0.2.0/24")
    key_id = key.partition(".")[0]
    [kept] = shown("ward")["keys"]
    assert (kept["id"], kept["scopes"], kept["networks"]) == (key_id, ["collect"], ["192.0.2.0/24"])
    assert key.partition(".")[2] not in run("clients", "show", "ward", "--format", "json")
    assert run("clients", "key", "revoke", "ward", key_id) == "1 keys of ward are revoked."
    assert shown("ward")["keys"][0]["revoked_at"] is not None
    with pytest.raises(NotFound, match="no key"):
        run("clients", "key", "revoke", "ward", key_id)
    assert trail()[-2:] == ["client.key_added", "client.key_revoked"]


def test_grants_and_locks_are_given_and_taken() -> None:
    run("clients", "grant", "ward", "12")
    run("clients", "lock", "ward", "11", "12")
    assert (shown("ward")["her_ids"], shown("ward")["locked"]) == ([11, 12], [11, 12])
    run("clients", "unlock", "11")
    run("clients", "ungrant", "ward", "11")
    assert (shown("ward")["her_ids"], shown("ward")["locked"]) == ([12], [12])
    assert trail()[-5:] == ["client.granted", "party.locked", "party.locked", "party.unlocked", "client.ungranted"]


def test_a_certificate_and_a_token_holder_speak_for_a_client_until_it_is_revoked(tmp_path: Path) -> None:
    mine = self_signed(datetime.now(UTC), timedelta(days=1))
    (tmp_path / "ward.pem").write_text(mine.pem, encoding="ascii")
    spki = run("clients", "certificate", "add", "ward", str(tmp_path / "ward.pem"))
    holder = ["--issuer", "https://id.example", "--client-id", "epj", "--parent", "999999901", "--child", "999999902"]
    run("clients", "oauth", "add", "ward", *holder)
    told = shown("ward")
    assert [one["spki"] for one in told["certificates"]] == [spki]
    assert [one["child"] for one in told["oauth"]] == ["999999902"]
    assert "999999902" in run("clients", "show", "ward")
    with pytest.raises(InvalidRequest, match="speaks for ward already"):
        run("clients", "certificate", "add", "ward", str(tmp_path / "ward.pem"))
    with pytest.raises(InvalidRequest, match="speak for ward already"):
        run("clients", "oauth", "add", "ward", *holder)
    assert run("clients", "revoke", "ward").endswith("1 certificates and 1 token holders removed.")
    assert (shown("ward")["certificates"], shown("ward")["oauth"]) == ([], [])


def test_a_certificate_is_removed_by_the_beginning_of_its_hash(tmp_path: Path) -> None:
    (tmp_path / "ward.pem").write_text(self_signed(datetime.now(UTC), timedelta(days=1)).pem, encoding="ascii")
    spki = run("clients", "certificate", "add", "ward", str(tmp_path / "ward.pem"))
    with pytest.raises(NotFound, match="name exactly one"):
        run("clients", "certificate", "remove", "ward", "zz")
    run("clients", "certificate", "remove", "ward", spki[:8].upper())
    assert trail()[-2:] == ["client.certificate_added", "client.certificate_removed"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["grant", "nobody", "11"], "no client 'nobody'"),
        (["grant", "ward", "99"], "HER-id 99 is not registered"),
        (["ungrant", "ward", "12"], "HER-id 12 is not granted to ward"),
        (["lock", "ward", "12"], "grant it first"),
        (["key", "revoke", "ward"], "say --all"),
        (["oauth", "remove", "ward", "--issuer", "https://id.example", "--client-id", "epj"], "do not speak for ward"),
        (["oauth", "add", "ward", "--issuer", "i", "--client-id", "c", "--parent", "12"], "nine digits"),
        (["certificate", "add", "ward", "/dev/null"], "no certificate in PEM"),
        (["certificate", "add", "ward", "/nowhere/at/all.pem"], "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_told_in_words(words: list[str], told: str) -> None:
    with pytest.raises((InvalidRequest, NotFound), match=told):
        run("clients", *words)
