"""What a set-up lacks for production: a demo lacks much, and a careful one nothing grave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import fixtures
from messaging.cli.production import lacks
from messaging.flow.standing import Standing
from messaging.settings import Settings

ISSUER = {"url": "https://issuer.example", "audience": "samhandling"}
PROVIDER = {
    "title": "Innlogging",
    "issuer": "https://people.example",
    "client_id": "samhandling",
    "role_claim": "role",
    "roles": {"drift": "operator"},
    "acr": ["Level4"],
}
MAIL = {"host": "mail.example", "sender": "exchange@exchange.example"}
CAREFUL: dict[str, Any] = {
    "database_url": "postgresql://app@database/samhandling?sslmode=verify-full&sslrootcert=/etc/samhandling/root.pem",
    "public_url": "https://exchange.example",
    "uds": Path("/run/samhandling/http.sock"),
    "trusted_proxies": ["unix"],
    "encryption_keys": [{"kind": "environment", "variable": "MASTER"}],
    "audit_anchors": [{"kind": "syslog", "address": "log.example:514"}],
    "token_issuers": [ISSUER],
    "providers": {"people": PROVIDER},
    "retention_daily": True,
    "mail": MAIL,
    "alarm_mail_to": ["vakt@exchange.example"],
    "log_format": "json",
}
SOUND = Standing(weaknesses=(), her_ids=frozenset({123}), endless_keys=(), admins=1)


def told(standing: Standing = SOUND, *, grave: bool = True, **changed: Any) -> str:
    settings = Settings(**{**CAREFUL, **changed})
    return "\n".join(lack.what for lack in lacks(settings, standing) if lack.grave is grave)


def test_a_careful_set_up_lacks_nothing() -> None:
    assert told() == ""
    assert told(grave=False) == ""


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"public_url": None}, "No public_url"),
        ({"mail": None}, "Nobody is told of alarms"),
        ({"mail": {**MAIL, "security": "none"}}, "leaves unencrypted"),
        ({"public_url": "http://127.0.0.1:8080"}, "no https address"),
        ({"uds": None, "host": "0.0.0.0"}, "listens on 0.0.0.0 without TLS"),  # noqa: S104 - that is the point
        ({"database_url": "postgresql://app@database/samhandling?sslmode=require"}, "database_url reaches PostgreSQL"),
        ({"migration_url": "postgresql://owner@database/samhandling"}, "migration_url reaches PostgreSQL"),
        ({"adapters": {"gp": {"kind": "http_post", "url": "http://gp.example/in"}}}, "adapter gp is called by http"),
        ({"audit_anchors": [{"kind": "http", "url": "http://log.example"}]}, "anchor of the audit log is called by"),
        ({"trusted_proxies": []}, "No proxy is trusted"),
        ({"calls_allowed": ["0.0.0.0/0"]}, "names every network"),
        ({"audit_anchors": []}, "anchored on this machine alone"),
        ({"audit_anchors": None}, "anchored on this machine alone"),
        ({"audit_seal_seconds": 0}, "not sealed"),
        ({"token_issuers": [{**ISSUER, "sender_constrained": False}]}, "taken unbound"),
        ({"providers": {}}, "a passphrase only"),
        ({"providers": {"people": {**PROVIDER, "acr": []}}}, "without a second factor"),
        ({"requests_per_second": 0}, "as often as they like"),
        ({"retention_daily": False}, "kept for ever"),
        ({"disk_reserve_bytes": 0}, "No disk space is held back"),
    ],
)
def test_each_lack_is_found_and_named(changed: dict[str, Any], words: str) -> None:
    assert words in told(**changed)


def test_keys_beside_the_database_are_found(tmp_path: Path) -> None:
    beside = {"database_url": f"sqlite:///{tmp_path}/samhandling.db", "key_file": tmp_path / "samhandling.key"}
    found = told(**beside, encryption_keys=None)
    assert "The master key lies in the folder of the database" in found
    assert "key_file lies in the folder of the database" in found
    apart = {**beside, "key_file": tmp_path / "keys" / "samhandling.key"}
    assert told(**apart, encryption_keys=None) == ""


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"weaknesses": ("The user is a superuser.",)}, "superuser"),
        ({"endless_keys": ("sykehus",)}, "never expire: sykehus"),
        ({"her_ids": frozenset({fixtures.parties()[0].her_id})}, "The demo's parties"),
    ],
)
def test_what_the_database_says_is_weighed(changed: dict[str, Any], words: str) -> None:
    assert words in told(replace(SOUND, **changed))


def test_nobody_who_can_administer_is_found() -> None:
    assert "Nobody can administer" in told(replace(SOUND, admins=0), providers={})


def test_what_is_grave_is_said_first() -> None:
    settings = Settings(**{**CAREFUL, "log_format": "console", "public_url": None})
    assert [lack.grave for lack in lacks(settings, SOUND)] == [True, False]
