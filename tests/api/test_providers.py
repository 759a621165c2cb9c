"""People for whom an identity provider vouches: the whole way over a real provider, and every lie it could tell."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from browsers import ADMIN, HOME, Browser, browser, employ
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from lxml import html
from openid_server import Claims, OpenIdServer, confused, critical, serving_openid, unsigned
from sqlalchemy import select

import fixtures
from doors import Api
from messaging.errors import ConfigurationError, InvalidRequest
from messaging.flow import accounts
from messaging.http import AsyncClient, Response
from messaging.model.access import Role
from messaging.model.provider import Trust
from messaging.model.sight import EVERYTHING
from messaging.openid import Provider
from messaging.reach import Reach
from messaging.settings import Settings
from messaging.store import tables

NEAR = Reach.to("127.0.0.0/8")


@pytest.fixture(params=["sqlite"])
async def database_url(request: pytest.FixtureRequest, databases: Any) -> str:
    """What a provider says does not hang on the database."""
    return str(await getattr(databases, request.param)())


@pytest.fixture
async def provider(api: Api) -> AsyncIterator[OpenIdServer]:
    """A provider, and an exchange that trusts it."""
    await employ(api)
    async with serving_openid(api.world.clock) as served:
        trusting(api, served)
        yield served


def trusting(api: Api, served: OpenIdServer, **more: Any) -> None:
    trust = Trust(
        name="helse",
        title="HelseID",
        issuer=served.issuer,
        client_id=served.client_id,
        role_claim="roles",
        roles={"sjef": Role.ADMIN, "drift": Role.OPERATOR, "tilsyn": Role.AUDITOR, "ansatt": Role.PARTY},
        organisation_claim="orgnr",
        client_secret=served.client_secret,
    )
    one = Provider(replace(trust, **more), NEAR)
    api.app.state.exchange = replace(api.app.state.exchange, providers={"helse": one})


async def go(one: Browser, onward: str = "") -> str:
    """Go to the provider, and give the address that it sends the browser back to."""
    away = await one.get(f"/sign-in/with/helse?next={onward}")
    assert away.status_code == 303, away.text
    async with AsyncClient() as client:
        return str((await client.get(away.headers["location"])).headers["location"])


async def come_back(one: Browser, address: str) -> Response:
    return await one.get(address.removeprefix(HOME), **{"Sec-Fetch-Site": "cross-site"})


async def through(one: Browser, onward: str = "") -> Response:
    return await come_back(one, await go(one, onward))


async def reasons(api: Api, event: str = "person.sign_in_refused") -> list[Any]:
    async with api.world.exchange.database.read(EVERYTHING) as tx:
        found = await tx.scalars(
            select(tables.audit.c.detail).where(tables.audit.c.event == event).order_by(tables.audit.c.id)
        )
        return [one.get("reason") for one in found]


@pytest.mark.usefixtures("provider")
async def test_whom_the_provider_vouches_for_is_in(api: Api) -> None:
    one = await browser(api)
    page = html.document_fromstring((await one.get("/sign-in?next=/console")).text)
    (link,) = page.xpath("//a[@class='button']")
    assert (link.text, link.get("href")) == ("Logg inn med HelseID", "/sign-in/with/helse?lang=nb&next=/console")
    answer = await through(one, "/console")
    assert answer.status_code == 200
    assert html.document_fromstring(answer.text).xpath("//meta[@http-equiv='refresh']/@content") == ["0; url=/console"]
    session = (await one.get("/session")).json()
    assert (session["name"], session["role"], session["signIn"]["way"]) == ("Kari Nord", "operator", "helse")
    assert session["id"].startswith("person:oidc-")
    assert "kari-1" not in session["id"]
    again = await browser(api)
    await through(again)
    assert (await again.get("/session")).json()["id"] == session["id"], "the same person has one account"


@pytest.mark.usefixtures("provider")
async def test_what_is_asked_is_bound_to_this_browser(api: Api) -> None:
    one = await browser(api)
    away = await one.get("/sign-in/with/helse")
    asked = parse_qs(urlsplit(away.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{HOME}/sign-in/with/helse/back"]
    flags = away.headers["set-cookie"].lower()
    assert flags.startswith("__host-samhandling-provider=")
    assert all(flag in flags for flag in ("httponly", "secure", "samesite=lax", "max-age=600"))
    secret = asked["state"][0] + asked["nonce"][0]
    assert not [part for part in (secret[:43], secret[43:]) if part in away.headers["set-cookie"]]


async def refused(api: Api, answer: Response, reason: str) -> None:
    assert answer.status_code == 401, answer.text
    assert (
        html.document_fromstring(answer.text).xpath("string(//*[@role='alert'])").startswith("Du ble ikke logget inn.")
    )
    cookies = answer.headers.get_list("set-cookie")
    assert not [line for line in cookies if line.startswith("__Host-samhandling=")]
    assert (await reasons(api))[-1] == reason


@pytest.mark.usefixtures("provider")
async def test_a27_an_answer_that_this_browser_did_not_ask_for_lets_nobody_in(api: Api) -> None:
    one, victim = await browser(api), await browser(api)
    address = await go(one)
    await refused(api, await come_back(victim, address), "not_asked")
    await go(victim)
    await refused(api, await come_back(victim, address), "other_state")
    await refused(api, await come_back(one, address.replace("state=", "state=x")), "other_state")
    address = await go(one)
    await refused(api, await come_back(one, address.replace("iss=http", "iss=https")), "other_issuer")
    address = await go(one)
    denied = address.partition("?")[0] + "?error=access_denied&state=" + parse_qs(urlsplit(address).query)["state"][0]
    await refused(api, await come_back(one, denied), "provider_refused")
    address = await go(one)
    api.world.clock.forward(minutes=11)
    await refused(api, await come_back(one, address), "not_asked")
    address = await go(one)
    assert (await come_back(one, address)).status_code == 200
    fresh = await go(one)
    used = parse_qs(urlsplit(address).query)["code"][0]
    state = parse_qs(urlsplit(fresh).query)["state"][0]
    await refused(api, await come_back(one, f"/sign-in/with/helse/back?code={used}&state={state}"), "code_not_taken")


LIES: dict[str, tuple[Claims, str]] = {
    "another issuer": ({"iss": "https://evil.example"}, "token_other_issuer"),
    "no issuer": ({"iss": None}, "token_other_issuer"),
    "no audience": ({"aud": None}, "token_other_audience"),
    "another audience": ({"aud": "other"}, "token_other_audience"),
    "two audiences": ({"aud": ["samhandling", "other"]}, "token_other_audience"),
    "made for another": ({"azp": "other"}, "token_other_audience"),
    "another nonce": ({"nonce": "other"}, "token_other_nonce"),
    "no nonce": ({"nonce": None}, "token_other_nonce"),
    "run out": ({"exp": 1}, "token_too_old"),
    "never runs out": ({"exp": None}, "token_no_time"),
    "runs out in words": ({"exp": "tomorrow"}, "token_no_time"),
    "from long ago": ({"iat": 1}, "token_too_old"),
    "from the future": ({"iat": 99_999_999_999}, "token_not_yet"),
    "not valid yet": ({"nbf": 99_999_999_999}, "token_not_yet"),
    "of nobody": ({"sub": None}, "token_no_subject"),
    "of nobody in text": ({"sub": ""}, "token_no_subject"),
    "of a number": ({"sub": 7}, "token_no_subject"),
    "in no role": ({"roles": ["else"]}, "no_role"),
    "in a role that is no text": ({"roles": {"drift": True}}, "no_role"),
    "of an organisation that is not here": ({"roles": ["ansatt"], "orgnr": "999999999"}, "no_party"),
    "of no organisation": ({"roles": ["ansatt"]}, "no_party"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a19_an_id_token_that_says_something_else_lets_nobody_in(
    api: Api, provider: OpenIdServer, lie: str
) -> None:
    provider.changed, reason = LIES[lie]
    await refused(api, await through(await browser(api)), reason)


def headed(**header: Any) -> Callable[[OpenIdServer, Claims], str]:
    """Sign well, under a header that says more or other than it ought to."""
    return lambda server, claims: server.signed(claims, header)


FOREIGN = RSAKey.generate_key(2048, {"kid": "one"})
SMALL = ECKey.generate_key("P-256", {"kid": "one"})
MADE: dict[str, tuple[Callable[[OpenIdServer, Claims], str], str]] = {
    "unsigned": (unsigned, "token_not_signed"),
    "signed with the public key": (confused, "token_not_signed"),
    "signed by somebody else": (lambda server, claims: server.signed(claims, key=FOREIGN), "token_not_signed"),
    "an unknown key": (headed(kid="two"), "token_unknown_key"),
    "a key of its own": (headed(jwk=SMALL.as_dict(private=False)), "token_other_kind"),
    "keys from elsewhere": (headed(jku="https://evil.example/keys"), "token_other_kind"),
    "certificates from elsewhere": (headed(x5u="https://evil.example/chain"), "token_other_kind"),
    "an access token": (headed(typ="at+jwt"), "token_other_kind"),
    "an algorithm that nobody allowed": (
        lambda server, claims: jwt.encode({"alg": "RS384", "kid": "one"}, claims, server.key, ["RS384"]),
        "token_not_signed",
    ),
    "far too long": (lambda server, claims: server.signed(claims | {"more": "x" * 20_000}), "token_too_long"),
    "no token": (lambda _server, _claims: "nonsense", "token_not_signed"),
    "critical and unknown": (critical, "token_not_signed"),
}


@pytest.mark.parametrize("made", MADE)
async def test_a19_an_id_token_that_is_made_otherwise_lets_nobody_in(
    api: Api, provider: OpenIdServer, made: str
) -> None:
    provider.make, reason = MADE[made]
    await refused(api, await through(await browser(api)), reason)


async def test_a_new_key_of_the_provider_is_fetched_and_no_more_often_than_needed(
    api: Api, provider: OpenIdServer
) -> None:
    assert (await through(await browser(api))).status_code == 200
    assert (await through(await browser(api))).status_code == 200
    assert provider.fetched_keys == 1
    provider.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
    provider.make = lambda server, claims: server.signed(claims, {"kid": "two"})
    await refused(api, await through(await browser(api)), "token_unknown_key")
    assert provider.fetched_keys == 1, "asked again only after ten seconds"
    known: Provider = api.app.state.exchange.providers["helse"]
    assert known._keys is not None
    known._keys = (known._keys[0] - 11, known._keys[1])
    assert (await through(await browser(api))).status_code == 200
    assert provider.fetched_keys == 2


async def test_a_strong_sign_in_is_asked_for_and_demanded(api: Api, provider: OpenIdServer) -> None:
    trusting(api, provider, acr=("idporten-loa-high", "Level4"), amr=("mfa",))
    one = await browser(api)
    away = await one.get("/sign-in/with/helse")
    assert parse_qs(urlsplit(away.headers["location"]).query)["acr_values"] == ["idporten-loa-high Level4"]
    for claims in ({}, {"acr": "Level3", "amr": ["mfa"]}, {"acr": "Level4", "amr": ["pwd"]}, {"acr": "Level4"}):
        provider.changed = claims
        await refused(api, await through(one), "not_strong_enough")
    provider.changed = {"acr": "Level4", "amr": ["pwd", "mfa"]}
    assert (await through(one)).status_code == 200


async def test_people_of_an_organisation_look_at_its_parties(api: Api, provider: OpenIdServer) -> None:
    (above,) = [party for party in fixtures.parties() if party.her_id == 8110000]
    below = sorted(party.her_id for party in fixtures.parties() if above.her_id in (party.her_id, party.parent_her_id))
    provider.changed = {"roles": "ansatt", "orgnr": above.org_number}
    one = await browser(api)
    await through(one)
    session = (await one.get("/session")).json()
    assert (session["role"], session["herIds"], session["actions"]) == ("party", below, ["read"])
    assert len(below) > 1


async def test_a_role_that_the_provider_changes_ends_the_old_one(api: Api, provider: OpenIdServer) -> None:
    one, again = await browser(api), await browser(api)
    await through(one)
    provider.person["roles"] = ["tilsyn", "sjef"]
    await through(again)
    assert (await one.get("/session")).status_code == 401
    assert (await again.get("/session")).json()["role"] == "admin", "the first that the operator named"
    name = (await again.get("/session")).json()["id"].removeprefix("person:")
    exchange = api.app.state.exchange
    with pytest.raises(InvalidRequest):
        await accounts.change_role(exchange, ADMIN, name, Role.AUDITOR, frozenset())
    with pytest.raises(InvalidRequest):
        await accounts.set_passphrase(exchange, ADMIN, name, "kaffe og tykk tåke")
    await accounts.disable(exchange, ADMIN, name)
    assert (await again.get("/session")).status_code == 401
    await refused(api, await through(again), "disabled")
    assert (await (await browser(api)).sign_in(name)).status_code == 401


async def test_we_show_the_provider_who_we_are(api: Api, provider: OpenIdServer) -> None:
    trusting(api, provider, client_secret="wrong")
    await refused(api, await through(await browser(api)), "code_not_taken")
    provider.client_key = ECKey.generate_key("P-256", {"kid": "ours"})
    trusting(api, provider, client_secret=None, client_key=provider.client_key.as_dict(private=True))
    assert (await through(await browser(api))).status_code == 200
    provider.client_key = provider.client_secret = None
    trusting(api, provider, client_secret=None)
    assert (await through(await browser(api))).status_code == 200


async def test_a_provider_that_is_away_or_another_one_is_told_in_words(api: Api, provider: OpenIdServer) -> None:
    provider.away = True
    one = await browser(api)
    answer = await one.get("/sign-in/with/helse")
    assert (answer.status_code, "svarer ikke" in answer.text) == (503, True)
    provider.away, provider.metadata = False, {"issuer": "https://evil.example"}
    assert (await one.get("/sign-in/with/helse")).status_code == 503
    provider.metadata = {}
    assert (await through(one)).status_code == 200
    provider.away = True
    assert (await through(one)).status_code == 200, "what is known is used on"
    assert (await one.get("/sign-in/with/nobody")).status_code == 404
    trusting(api, provider)
    out_of_reach = Provider(api.app.state.exchange.providers["helse"].trust)
    api.app.state.exchange = replace(api.app.state.exchange, providers={"helse": out_of_reach})
    assert (await one.get("/sign-in/with/helse")).status_code == 503


def test_a_provider_is_read_from_the_settings(tmp_path: Path) -> None:
    key = tmp_path / "client.jwk"
    key.write_text(json.dumps(ECKey.generate_key("P-256", {"kid": "ours"}).as_dict(private=True)))
    told = {
        "title": "HelseID",
        "issuer": "https://id.example",
        "client_id": "x",
        "role_claim": "r",
        "roles": {"a": "admin"},
    }
    settings = Settings(providers={"helse": told | {"client_key_file": str(key)}})
    trust = settings.providers["helse"].trust("helse")
    assert (trust.roles, trust.name, trust.issuer) == ({"a": Role.ADMIN}, "helse", "https://id.example")
    assert trust.client_key is not None
    assert "'d'" not in repr(trust)
    key.write_text("{}")
    with pytest.raises(ConfigurationError, match="client_key_file"):
        settings.providers["helse"].trust("helse")
    for wrong in (
        {"issuer": "http://id.example"},
        {"roles": {}},
        {"roles": {"a": "king"}},
        {"algorithms": ["none"]},
        {"algorithms": ["HS256"]},
        {"scope": "profile"},
    ):
        with pytest.raises(ValueError, match="validation error"):
            Settings(providers={"helse": told | wrong})
    with pytest.raises(ValueError, match="validation error"):
        Settings(providers={"Helse ID": told})
