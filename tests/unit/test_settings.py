"""Settings: read from the environment and a file, and refused in words when they cannot be used."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from messaging.app import read_pepper
from messaging.errors import ConfigurationError
from messaging.model.rules import RuleLine, RuleName, Severity
from messaging.settings import load


def test_the_environment_beats_the_file_and_the_command_line_beats_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "samhandling.toml"
    file.write_text('port = 1\nhost = "0.0.0.0"\nroute_concurrency = 3\n[[routes]]\nher_id = 5\nto = "far"\n')
    monkeypatch.setenv("SAMHANDLING_CONFIG", str(file))
    monkeypatch.setenv("SAMHANDLING_PORT", "2")
    settings = load()
    assert (settings.port, settings.host, settings.terms().route_concurrency) == (2, "0.0.0.0", 3)  # noqa: S104
    assert settings.routing().by_receiver == {5: "far"}
    assert load(port=3).port == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [("SAMHANDLING_PROT", "1"), ("SAMHANDLING_PORT", "many"), ("SAMHANDLING_RETRY_GIVE_UP_AFTER", "0")],
)
def test_what_cannot_be_used_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refused:
        load()
    assert name.removeprefix("SAMHANDLING_").lower() in str(refused.value).lower()


@pytest.mark.parametrize("text", ["prot = 1", "port = ", "[[routes]]\nher_id = 5\nroute = 'far'"])
def test_a_file_that_cannot_be_used_stops_the_start(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "samhandling.toml"
    file.write_text(text)
    monkeypatch.setenv("SAMHANDLING_CONFIG", str(file))
    with pytest.raises(ConfigurationError):
        load()


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMHANDLING_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(ConfigurationError):
        load()


def test_the_apprec_is_expected_within_96_hours_unless_the_operator_says_otherwise() -> None:
    assert load().terms().receipt_within == timedelta(hours=96)


def test_the_key_file_is_made_once_for_us_alone(tmp_path: Path) -> None:
    file = tmp_path / "key"
    made = read_pepper(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_pepper(file) == made


def test_a_key_file_that_others_can_read_or_that_is_no_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    read_pepper(file)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError):
        read_pepper(file)
    file.chmod(0o600)
    file.write_bytes(b"short")
    with pytest.raises(ConfigurationError):
        read_pepper(file)


def test_rules_are_made_stricter_and_milder_by_type_and_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "SAMHANDLING_RULES",
        '[{"rule": "two-levels", "severity": "warn"},'
        ' {"rule": "person-numbers", "severity": "reject", "type": "EPIKRISE", "her_id": 8120001}]',
    )
    assert load().rule_policy().lines == (
        RuleLine(RuleName.TWO_LEVELS, Severity.WARN),
        RuleLine(RuleName.PERSON_NUMBERS, Severity.REJECT, "EPIKRISE", 8120001),
    )


@pytest.mark.parametrize(
    "line",
    [
        '{"rule": "two-level", "severity": "warn"}',
        '{"rule": "two-levels", "severity": "mild"}',
        '{"rule": "two-levels", "severity": "warn", "her_id": 0}',
        '{"rule": "two-levels", "severity": "warn", "receiver": 1}',
    ],
)
def test_a_line_on_rules_that_cannot_be_used_stops_the_start(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMHANDLING_RULES", f"[{line}]")
    with pytest.raises(ConfigurationError, match="rules"):
        load()
