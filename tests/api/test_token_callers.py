"""A real client library gets a token from an issuer and calls the exchange with it, all over real servers."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import ECKey
from requests_oauth2client import DPoPKey, DPoPToken, OAuth2Client, OAuth2ClientCredentialsAuth, PrivateKeyJwt

from callers import CHILD_NUMBER, PARENT_NUMBER, Caller, issuing, speak_for, trusting
from doors import application, forget, serving
from messaging.demo.issuer import TOKEN, Registered, TokenIssuer
from messaging.http import AsyncClient, Response
from messaging.settings import Settings
from world import UNHURRIED, Databases, SetClock, world

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EDI = {"api-version": "3", "nhn-source-system": "Test EPJ, 1.0"}
NEWS = "/notifications/unread?HerIds=8100001"


@dataclass
class Scene:
    """An exchange and an issuer, both served, and the key that the issuer knows its client `epj` by."""

    url: str
    issuer: TokenIssuer
    key: ECKey
    clock: SetClock

    def library(self) -> OAuth2Client:
        private = self.key.as_dict(private=True)
        told = PrivateKeyJwt("epj", private, alg="ES256", lifetime=60, aud=self.issuer.url)
        return OAuth2Client(self.issuer.url + TOKEN, auth=told, dpop_bound_access_tokens=True, testing=True)


@pytest.fixture
async def scene(databases: Databases, tmp_path: Path) -> AsyncIterator[Scene]:
    clock, key = SetClock(datetime.now(UTC)), ECKey.generate_key("P-256", auto_kid=True)
    async with AsyncExitStack() as stack:
        known = {"epj": Registered(key, PARENT_NUMBER, CHILD_NUMBER)}
        issuer = await stack.enter_async_context(issuing(clock, known))
        database_url = await databases.sqlite()
        made = Settings(database_url=database_url, key_file=tmp_path / "key", **UNHURRIED, **trusting(issuer))
        opened = await stack.enter_async_context(world(made, clock))
        await speak_for(opened.exchange, issuer, "sykehus")
        app = application(opened)
        _, url = await stack.enter_async_context(serving(app, opened.exchange))
        yield Scene(url, issuer, key, clock)
        forget(app)


async def test_a_client_library_gets_a_bound_token_and_calls_with_it(scene: Scene) -> None:
    def call() -> list[int]:
        session = requests.Session()
        session.auth = OAuth2ClientCredentialsAuth(scene.library())
        answers = [session.get(scene.url + NEWS, headers=EDI), session.get(f"{scene.url}/operations/messages")]
        foreign = session.get(f"{scene.url}/notifications/unread?HerIds=8110001", headers=EDI)
        session.close()
        return [answer.status_code for answer in (*answers, foreign)]

    assert await asyncio.to_thread(call) == [200, 200, 403]


async def test_a20_the_tokens_of_a_client_library_are_not_taken_as_bearer(scene: Scene) -> None:
    def call() -> tuple[DPoPToken, requests.Response]:
        token = scene.library().client_credentials()
        assert isinstance(token, DPoPToken)
        headers = {**EDI, "Authorization": f"Bearer {token.access_token}"}
        return token, requests.get(scene.url + NEWS, headers=headers, timeout=30)

    token, answer = await asyncio.to_thread(call)
    assert answer.status_code == 401
    assert 'DPoP realm="samhandling"' in answer.headers["WWW-Authenticate"]
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert token.access_token not in answer.text


async def test_a20_another_key_than_the_tokens_own_is_refused(scene: Scene) -> None:
    def call() -> requests.Response:
        token = scene.library().client_credentials()
        proof = DPoPKey.generate().proof(htm="GET", htu=scene.url + NEWS)
        headers = {**EDI, "Authorization": f"DPoP {token.access_token}", "DPoP": str(proof)}
        return requests.get(scene.url + NEWS, headers=headers, timeout=30)

    answer = await asyncio.to_thread(call)
    assert (answer.status_code, "invalid_dpop_proof" in answer.headers["WWW-Authenticate"]) == (401, True)


async def ask(scene: Scene, assertion: str, *, nonce: bool = True, **form: str) -> Response:
    place = scene.issuer.url + TOKEN
    more: dict[str, Any] = {"nonce": scene.issuer._nonce} if nonce else {}
    proof = Caller(scene.clock).proof("", method="POST", url=place, ath=None, **more)
    body = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION,
        "client_assertion": assertion,
        **form,
    }
    async with AsyncClient() as http:
        return await http.post(place, data=body, headers={"DPoP": proof})


def assertion_of(scene: Scene, *, signed_by: ECKey | None = None, **claims: Any) -> str:
    now = int(scene.clock().timestamp())
    made = {
        "iss": "epj",
        "sub": "epj",
        "aud": scene.issuer.url,
        "iat": now,
        "exp": now + 60,
        "jti": secrets.token_urlsafe(16),
        **claims,
    }
    named = {name: value for name, value in made.items() if value is not None}
    return jwt.encode({"alg": "ES256", "typ": "client-authentication+jwt"}, named, signed_by or scene.key)


async def test_a21_an_assertion_is_taken_once(scene: Scene) -> None:
    assertion = assertion_of(scene)
    assert (await ask(scene, assertion)).status_code == 200
    again = await ask(scene, assertion)
    assert (again.status_code, again.json()) == (401, {"error": "invalid_client"})


async def test_a21_an_assertion_that_is_not_right_is_refused(scene: Scene) -> None:
    now = int(scene.clock().timestamp())
    wrong = {
        "lives too long": assertion_of(scene, exp=now + 66),
        "over": assertion_of(scene, exp=now),
        "endless": assertion_of(scene, exp=None),
        "for the token endpoint": assertion_of(scene, aud=scene.issuer.url + TOKEN),
        "for several": assertion_of(scene, aud=[scene.issuer.url]),
        "for nobody": assertion_of(scene, aud=None),
        "of another issuer": assertion_of(scene, iss="another"),
        "of an unknown client": assertion_of(scene, iss="another", sub="another"),
        "without a name": assertion_of(scene, jti=None),
        "signed by another key": assertion_of(scene, signed_by=ECKey.generate_key("P-256")),
        "no assertion": "nonsense",
    }
    answers = {what: (await ask(scene, assertion)).status_code for what, assertion in wrong.items()}
    assert answers == dict.fromkeys(wrong, 401)


async def test_a21_no_token_is_given_without_a_fresh_proof(scene: Scene) -> None:
    answer = await ask(scene, assertion_of(scene), nonce=False)
    assert (answer.status_code, answer.json()) == (400, {"error": "use_dpop_nonce"})
    assert answer.headers["DPoP-Nonce"]
    assert (await ask(scene, assertion_of(scene), grant_type="password")).json() == {"error": "unsupported_grant_type"}


async def test_a22_a_key_in_the_url_or_the_body_is_never_read(scene: Scene) -> None:
    async with AsyncClient(base_url=scene.url) as http:
        for place in ("/operations/messages?access_token=a.b", "/operations/messages?Authorization=Bearer%20a.b"):
            assert (await http.get(place)).status_code == 401
        form = await http.post("/documents", data={"access_token": "a.b"})
        assert form.status_code == 401


async def test_a22_what_says_who_calls_is_never_logged(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "messaging")
    caller, secret = Caller(scene.clock), secrets.token_urlsafe(32)
    token = scene.issuer.sign(scene.issuer.claims_for("epj", cnf={"jkt": caller.thumbprint}))
    proof = caller.proof(token, url=f"{scene.url}/operations/messages")
    carried = [{"Authorization": f"Bearer {'0' * 12}.{secret}"}, {"Authorization": f"DPoP {token}", "DPoP": proof}]
    async with AsyncClient(base_url=scene.url) as http:
        statuses = [(await http.get("/operations/messages", headers=one)).status_code for one in carried * 2]
    assert statuses == [401, 200, 401, 401]
    assert caplog.records
    assert [one for one in (secret, token, proof) if one in caplog.text or one[-40:] in caplog.text] == []
