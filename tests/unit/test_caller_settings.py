"""The settings of issuers and proxies: what the documentation shows can be used, and what cannot be used is told."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from messaging.errors import ConfigurationError
from messaging.model.access import Action
from messaging.settings import Settings, load

API_PAGE = Path(__file__).parents[2] / "docs" / "api.md"
ISSUER = {"url": "https://id.example", "audience": "us"}


def test_the_issuer_that_the_page_shows_can_be_used() -> None:
    shown = API_PAGE.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    settings = Settings(**tomllib.loads(shown))
    terms = settings.token_issuers[0].terms()
    assert terms.metadata_url == "https://helseid-sts.test.nhn.no/.well-known/openid-configuration"
    assert terms.limits(["nhn:exchange/status"]) == {Action.READ}
    assert terms.limits(["nhn:exchange/api", "other"]) == frozenset(Action)
    with pytest.raises(LookupError):
        terms.limits(["other"])
    assert terms.sender_constrained
    assert settings.edge().public_url == "https://exchange.example"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"token_issuers": [ISSUER | {"url": "http://id.example"}]}, "must begin with https"),
        ({"token_issuers": [ISSUER | {"url": "https://me:secret@id.example"}]}, "without credentials"),
        ({"token_issuers": [ISSUER | {"algorithms": ["HS256"]}]}, "must be one of PS256"),
        ({"token_issuers": [ISSUER | {"algorithms": ["none"]}]}, "must be one of PS256"),
        ({"token_issuers": [ISSUER | {"algorithms": []}]}, "at least 1 item"),
        ({"token_issuers": [ISSUER | {"audience": ""}]}, "at least 1 character"),
        ({"token_issuers": [ISSUER | {"scopes": {"a": ["everything"]}}]}, "scopes"),
        ({"trusted_proxies": ["10.0.0.1/8"]}, "must be unix, an address, or a network"),
        ({"trusted_proxies": ["proxy.example"]}, "must be unix, an address, or a network"),
        ({"public_url": "exchange.example"}, "must be a URL"),
    ],
)
def test_what_cannot_be_used_stops_the_start_in_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load({}, **given)


def test_plain_http_is_taken_on_this_machine_only() -> None:
    for host in ("localhost", "127.0.0.1", "[::1]"):
        load({}, token_issuers=[ISSUER | {"url": f"http://{host}:8081"}])
