"""Access tokens and their proofs: what A19 and A20 try, and what a real caller does."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from callers import ADMIN, CHILD_NUMBER, PARENT_NUMBER, SCOPE, Caller, issuing, speak_for, trusting
from certificates import self_signed
from messaging.demo.issuer import Registered, TokenIssuer
from messaging.errors import Forbidden, Unauthenticated, Unavailable
from messaging.flow import clients, watch
from messaging.flow.authenticate import authenticate
from messaging.flow.issuers import FRESH_FOR, USED_FOR
from messaging.flow.proof import hashed
from messaging.flow.ways.token import CHILD
from messaging.model.access import Action
from messaging.model.credentials import Credentials
from messaging.settings import Settings
from world import Databases, SetClock, World, world


@dataclass
class Scene:
    """An exchange that trusts an issuer, and a caller that the issuer knows as `epj` and we as `sykehus`."""

    world: World
    issuer: TokenIssuer
    caller: Caller

    def token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        made = self.issuer.claims_for("epj", **{"cnf": {"jkt": self.caller.thumbprint}, **claims})
        return self.issuer.sign({name: value for name, value in made.items() if value is not None}, **(header or {}))

    async def refuse(self, carried: Credentials, error: str = "invalid_token", *, what: str = "") -> None:
        told: tuple[str, ...] = ()
        try:
            await authenticate(self.world.exchange, carried)
        except Unauthenticated as refused:
            told = refused.challenges
        assert any(one.startswith("DPoP ") and f'error="{error}"' in one for one in told), what or told

    async def let_in(self, carried: Credentials) -> str:
        return (await authenticate(self.world.exchange, carried)).id


@pytest.fixture
async def scene(databases: Databases, clock: SetClock, tmp_path: Path) -> AsyncIterator[Scene]:
    known = {"epj": Registered(ECKey.generate_key("P-256"), PARENT_NUMBER, CHILD_NUMBER)}
    async with issuing(clock, known) as issuer:
        made = Settings(
            database_url=await databases.sqlite(),
            key_file=tmp_path / "key",
            disk_reserve_bytes=0,
            public_url="https://exchange.example",
            **trusting(issuer),
        )
        async with world(made, clock) as opened:
            await speak_for(opened.exchange, issuer, "sykehus")
            yield Scene(opened, issuer, Caller(clock))


async def test_a_token_with_its_proof_tells_who_calls(scene: Scene) -> None:
    token = scene.token()
    assert await scene.let_in(scene.caller.carrying(token, scene.caller.proof(token))) == "sykehus"


def unsigned(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none", "typ": "at+jwt"}, claims)
    return ".".join([*(urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts), ""])


async def test_a19_what_is_wrong_with_a_token_is_refused(scene: Scene) -> None:
    now = int(scene.world.clock().timestamp())
    other = ECKey.generate_key("P-256", auto_kid=True)
    good = scene.issuer.claims_for("epj", cnf={"jkt": scene.caller.thumbprint})
    public = scene.issuer._key.as_pem(private=False)
    symmetric = OctKey.import_key(hashlib.sha256(public).digest())
    kid = scene.issuer._key.kid
    wrong = {
        "alg none": unsigned(good),
        "HS256 with the public key": jwt.encode({"alg": "HS256", "typ": "at+jwt", "kid": kid}, good, symmetric),
        "another key under our kid": jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": kid}, good, other),
        "unknown kid": jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": other.kid}, good, other),
        "no kid": scene.token({"kid": None}),
        "jku": scene.token({"jku": f"{scene.issuer.url}/jwks"}),
        "x5u": scene.token({"x5u": f"{scene.issuer.url}/jwks"}),
        "jwk": scene.token({"jwk": other.as_dict(private=False)}),
        "typ of an id token": scene.token({"typ": "id_token"}),
        "typ of a proof": scene.token({"typ": "dpop+jwt"}),
        "no aud": scene.token(aud=None),
        "other aud": scene.token(aud="nhn:msh"),
        "several aud": scene.token(aud=["samhandling", "nhn:msh"]),
        "other iss": scene.token(iss="https://issuer.example"),
        "iss with a slash more": scene.token(iss=f"{scene.issuer.url}/"),
        "no iss": scene.token(iss=None),
        "no exp": scene.token(exp=None),
        "exp over": scene.token(exp=now - 6),
        "exp as text": scene.token(exp=str(now + 60)),
        "exp beyond all time": scene.token(exp=1e308),
        "nbf to come": scene.token(nbf=now + 6),
        "iat to come": scene.token(iat=now + 6),
        "1 MB of header": scene.token({"x": "a" * 1_000_000}),
        "nested without end": f"{urlsafe_b64encode(b'[' * 5000).decode()}.e30.e30",
        "cut off": scene.token()[:-5],
        "another payload": ".".join([scene.token().split(".")[0], *unsigned(good).split(".")[1:2], "AAAA"]),
        "bound to nothing": scene.issuer.sign(scene.issuer.claims_for("epj")),
        "bound to what we cannot check": scene.token(cnf={"jkt": scene.caller.thumbprint, "kid": "x"}),
        "bound to an empty list": scene.token(cnf=[]),
    }
    for what, token in wrong.items():
        await scene.refuse(scene.caller.carrying(token, scene.caller.proof(token)), what=what)


async def test_a19_a_header_that_must_be_understood_and_is_not_is_refused(scene: Scene) -> None:
    head = {"alg": "ES256", "typ": "at+jwt", "kid": scene.issuer._key.kid, "crit": ["exp"], "exp": 1}
    parts = [urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in (head, {"iss": scene.issuer.url})]
    token = ".".join([*parts, "AAAA"])
    await scene.refuse(scene.caller.carrying(token, scene.caller.proof(token)))


async def test_a20_what_is_wrong_with_a_proof_is_refused(scene: Scene) -> None:
    token, caller = scene.token(), scene.caller
    now = int(scene.world.clock().timestamp())
    other = ECKey.generate_key("P-256")
    weak = RSAKey.generate_key(2048)
    wrong: dict[str, tuple[str, ...]] = {
        "missing": (),
        "two": (caller.proof(token), caller.proof(token)),
        "wrong htm": (caller.proof(token, method="POST"),),
        "htm in lower case": (caller.proof(token, method="get"),),
        "wrong htu": (caller.proof(token, url="https://exchange.example/documents"),),
        "htu of another host": (caller.proof(token, url="https://other.example/messages"),),
        "htu without TLS": (caller.proof(token, url="http://exchange.example/messages"),),
        "htu with a name before the host": (caller.proof(token, url="https://exchange.example@x.example/messages"),),
        "wrong ath": (caller.proof(token, ath=hashed(b"another token")),),
        "no ath": (caller.proof(token, ath=None),),
        "no jti": (caller.proof(token, jti=None),),
        "endless jti": (caller.proof(token, jti="x" * 257),),
        "old iat": (caller.proof(token, iat=now - 11),),
        "iat to come": (caller.proof(token, iat=now + 6),),
        "no iat": (caller.proof(token, iat=None),),
        "private jwk": (caller.proof(token, header={"jwk": caller.key.as_dict(private=True)}),),
        "other key than cnf.jkt": (Caller(scene.world.clock, other).proof(token),),
        "signed by another key than it shows": (caller.proof(token, signed_by=other),),
        "weaker key": (caller.proof(token, header={"alg": "RS256", "jwk": _shortened(weak)}, signed_by=weak),),
        "symmetric jwk": (caller.proof(token, header={"jwk": {"kty": "oct", "k": "AAAA"}}),),
        "jwk of no shape": (caller.proof(token, header={"jwk": {"kty": "EC"}}),),
        "typ of a token": (caller.proof(token, header={"typ": "JWT"}),),
        "jku beside": (caller.proof(token, header={"jku": "https://keys.example"}),),
        "no JWT": ("a.b.c",),
    }
    for what, proofs in wrong.items():
        await scene.refuse(caller.carrying(token, *proofs), "invalid_dpop_proof", what=what)


def _shortened(key: RSAKey) -> dict[str, Any]:
    public = dict(key.as_dict(private=False))
    return {**public, "n": public["n"][:171]}


async def test_a20_a_proof_opens_one_request(scene: Scene) -> None:
    token = scene.token()
    carried = scene.caller.carrying(token, scene.caller.proof(token))
    await scene.let_in(carried)
    await scene.refuse(carried, "invalid_dpop_proof")
    scene.world.clock.forward(seconds=30)
    await watch.sweep(scene.world.exchange)
    await scene.refuse(replace(carried, now=scene.world.clock()), "invalid_dpop_proof")


async def test_a20_a_bound_token_is_not_taken_as_bearer(scene: Scene) -> None:
    token = scene.token()
    await scene.refuse(scene.caller.carrying(token, scheme="Bearer"))
    await scene.refuse(scene.caller.carrying(token, scene.caller.proof(token), scheme="Bearer"))


async def test_an_unbound_token_is_not_taken_where_binding_is_demanded(scene: Scene) -> None:
    unbound = scene.issuer.sign(scene.issuer.claims_for("epj"))
    await scene.refuse(scene.caller.carrying(unbound, scheme="Bearer"))


async def test_a_url_that_is_the_same_in_other_words_is_the_same(scene: Scene) -> None:
    token = scene.token()
    carried = scene.caller.proof(token, url="HTTPS://Exchange.example:443/%6Dessages?HerIds=1#x")
    assert await scene.let_in(scene.caller.carrying(token, carried)) == "sykehus"


async def test_a_key_and_a_proof_in_one_request_are_refused(scene: Scene) -> None:
    token, key = scene.token(), scene.world.keys["sykehus"]
    with pytest.raises(Unauthenticated, match="more than one way"):
        await authenticate(scene.world.exchange, scene.caller.carrying(key, scene.caller.proof(token), scheme="Bearer"))


async def test_a_token_of_an_organisation_that_is_not_registered_speaks_for_nobody(scene: Scene) -> None:
    for claims in ({CHILD: "999999903"}, {CHILD: None}, {"client_id": "another"}):
        token = scene.token(**claims)
        with pytest.raises(Forbidden, match="not registered here"):
            await scene.let_in(scene.caller.carrying(token, scene.caller.proof(token)))


async def test_a_token_ends_with_the_registration_of_its_holder(scene: Scene) -> None:
    await clients.revoke(scene.world.exchange, ADMIN, "sykehus")
    token = scene.token()
    with pytest.raises(Forbidden):
        await scene.let_in(scene.caller.carrying(token, scene.caller.proof(token)))


async def test_a_token_without_a_scope_that_opens_is_told_which_do(scene: Scene) -> None:
    for scope in ("other", None, ["other"]):
        token = scene.token(scope=scope)
        with pytest.raises(Forbidden, match=SCOPE):
            await scene.let_in(scene.caller.carrying(token, scene.caller.proof(token)))
    token = scene.token(scope=["other", SCOPE])
    assert await scene.let_in(scene.caller.carrying(token, scene.caller.proof(token))) == "sykehus"


async def test_a_scope_leaves_the_actions_that_the_settings_name(scene: Scene) -> None:
    issuer = next(iter(scene.world.exchange.issuers.values()))
    issuer.terms = replace(issuer.terms, scopes={"read": frozenset({Action.READ}), "all": frozenset(Action)})
    token = scene.token(scope="read")
    caller = await authenticate(scene.world.exchange, scene.caller.carrying(token, scene.caller.proof(token)))
    assert caller.limited_to == {Action.READ}


async def test_a_token_may_be_bound_to_a_certificate_instead(scene: Scene) -> None:
    clock = scene.world.clock
    mine, other = (self_signed(clock(), FRESH_FOR * 10) for _ in range(2))
    token = scene.issuer.sign(scene.issuer.claims_for("epj", cnf={"x5t#S256": mine.x5t}))
    for certificate in (None, other.pem, "no certificate"):
        await scene.refuse(scene.caller.carrying(token, scheme="Bearer", certificate=certificate))
    assert await scene.let_in(scene.caller.carrying(token, scheme="Bearer", certificate=mine.pem)) == "sykehus"


async def test_a_new_key_of_the_issuers_is_found_and_an_old_one_forgotten(scene: Scene) -> None:
    old = scene.token()
    await scene.let_in(scene.caller.carrying(old, scene.caller.proof(old)))
    scene.issuer.renew_key()
    new = scene.token()
    await scene.refuse(scene.caller.carrying(new, scene.caller.proof(new)))  # asked a moment ago
    scene.world.clock.forward(seconds=10)
    await scene.let_in(scene.caller.carrying(new, scene.caller.proof(new)))
    await scene.refuse(scene.caller.carrying(old, scene.caller.proof(old)))


async def test_known_keys_are_used_for_a_day_when_the_issuer_is_away(scene: Scene) -> None:
    token = scene.token()
    await scene.let_in(scene.caller.carrying(token, scene.caller.proof(token)))
    issuer = next(iter(scene.world.exchange.issuers.values()))
    issuer.terms = replace(issuer.terms, metadata_url=f"{scene.issuer.url}/nowhere")
    scene.world.clock.forward(seconds=(USED_FOR / 2).total_seconds())
    token = scene.token()
    assert await scene.let_in(scene.caller.carrying(token, scene.caller.proof(token))) == "sykehus"
    scene.world.clock.forward(seconds=(USED_FOR / 2).total_seconds())
    token = scene.token()
    with pytest.raises(Unavailable, match="issuer"):
        await scene.let_in(scene.caller.carrying(token, scene.caller.proof(token)))


async def test_an_issuer_whose_metadata_name_another_one_is_not_believed(scene: Scene) -> None:
    token = scene.token()
    scene.issuer.url, true = "http://127.0.0.1:9", scene.issuer.url
    with pytest.raises(Unavailable):
        await scene.let_in(scene.caller.carrying(token, scene.caller.proof(token)))
    scene.issuer.url = true


async def test_a20_a_proof_opens_one_request_at_both_of_two_instances(
    databases: Databases, clock: SetClock, tmp_path: Path
) -> None:
    url = await databases.postgresql()
    known = {"epj": Registered(ECKey.generate_key("P-256"), PARENT_NUMBER, CHILD_NUMBER)}
    async with issuing(clock, known) as issuer:
        made = Settings(database_url=url, key_file=tmp_path / "key", disk_reserve_bytes=0, **trusting(issuer))
        async with world(made, clock) as one, world(made, clock) as two:
            await speak_for(one.exchange, issuer, "sykehus")
            scenes = [Scene(opened, issuer, Caller(clock)) for opened in (one, two)]
            token = scenes[0].token()
            carried = scenes[0].caller.carrying(token, scenes[0].caller.proof(token))
            assert await scenes[0].let_in(carried) == "sykehus"
            await scenes[1].refuse(carried, "invalid_dpop_proof")
    await databases.drop(url)
