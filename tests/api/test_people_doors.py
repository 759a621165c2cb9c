"""What people may do over HTTP: every operation of the plain door and of operations, in each role, and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from browsers import ADMIN, PASSPHRASE, PEOPLE, Browser, browser, employ

import fixtures
from doors import Api
from messaging.flow import accounts, inspect
from messaging.model.access import Role
from messaging.model.account import Account
from messaging.model.party import Client

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
XML = {"Content-Type": "application/xml"}
NURSING, GP = 8110001, 8120001
REASON = {"reason": "The ward asks where its message is."}


@pytest.fixture(params=["sqlite"])
async def database_url(request: pytest.FixtureRequest, databases: Any) -> str:
    """Who may do what does not hang on the database."""
    return str(await getattr(databases, request.param)())


@pytest.fixture
async def staffed(api: Api) -> Api:
    await employ(api)
    return api


async def a_message(api: Api) -> str:
    answer = await (await api.of("sykehus")).post("/documents", content=ADMITTED, headers=XML)
    return str(answer.json()["id"])


async def a_refusal(api: Api) -> str:
    answer = await (await api.of("sykehus")).post("/documents", content=b"<a>05073500186</a>", headers=XML)
    return str(answer.json()["refusalId"])


ALL, NOBODY = frozenset(PEOPLE), frozenset[str]()
OPERATE, OVERSEE, ADMINISTER = frozenset({"kari", "ada"}), frozenset({"kari", "alf", "ada"}), frozenset({"ada"})

Call = Callable[[Browser, str, str], Any]
DOORS: dict[str, tuple[frozenset[str], Call]] = {
    "see oneself": (ALL, lambda b, _m, _r: b.send("GET", "/session")),
    "list own sign-ins": (ALL, lambda b, _m, _r: b.send("GET", "/sign-ins")),
    "list messages": (ALL, lambda b, _m, _r: b.send("GET", "/operations/messages")),
    "see a message": (ALL, lambda b, m, _r: b.send("GET", f"/operations/messages/{m}")),
    "read a document": (OPERATE, lambda b, m, _r: b.send("POST", f"/operations/messages/{m}/document", json=REASON)),
    "list parties": (OVERSEE, lambda b, _m, _r: b.send("GET", "/operations/parties")),
    "list refusals": (ALL, lambda b, _m, _r: b.send("GET", "/operations/refused")),
    "see a refusal": (OVERSEE, lambda b, _m, r: b.send("GET", f"/operations/refused/{r}")),
    "read a refused one": (OPERATE, lambda b, _m, r: b.send("POST", f"/operations/refused/{r}/document", json=REASON)),
    "take it as its client": (NOBODY, lambda b, _m, r: b.send("GET", f"/operations/refused/{r}/document")),
    "send": (NOBODY, lambda b, _m, _r: b.send("POST", "/documents", content=ADMITTED, headers=XML)),
    "take as a receiver": (NOBODY, lambda b, m, _r: b.send("GET", f"/documents/{m}")),
    "list accounts": (ADMINISTER, lambda b, _m, _r: b.send("GET", "/operations/accounts")),
    "see an account": (ADMINISTER, lambda b, _m, _r: b.send("GET", "/operations/accounts/alf")),
    "list others' sign-ins": (ADMINISTER, lambda b, _m, _r: b.send("GET", "/sign-ins?account=spare")),
    "unlock": (ADMINISTER, lambda b, _m, _r: b.send("POST", "/operations/accounts/spare/unlock")),
    "disable": (ADMINISTER, lambda b, _m, _r: b.send("POST", "/operations/accounts/spare/disable")),
    "enable": (ADMINISTER, lambda b, _m, _r: b.send("POST", "/operations/accounts/spare/enable")),
    "change a role": (
        ADMINISTER,
        lambda b, _m, _r: b.send("PUT", "/operations/accounts/spare/role", json={"role": "auditor"}),
    ),
}


@pytest.mark.parametrize("name", PEOPLE)
async def test_a27_each_role_passes_its_own_doors_and_no_other(staffed: Api, name: str) -> None:
    await spare(staffed)
    message, refusal = await a_message(staffed), await a_refusal(staffed)
    person = await browser(staffed, name)
    passed = set()
    for door, (_, call) in DOORS.items():
        status = (await call(person, message, refusal)).status_code
        assert status in (200, 202, 204, 403, 404), (door, status)
        if status < 300:
            passed.add(door)
    assert passed == {door for door, (may, _) in DOORS.items() if name in may}


async def spare(api: Api) -> None:
    account = Account("spare", "Spare", Role.OPERATOR)
    await accounts.add(api.app.state.exchange, ADMIN, account, passphrase=PASSPHRASE)


async def test_a27_every_door_that_changes_something_asks_for_the_form_token(staffed: Api) -> None:
    person = await browser(staffed, "ada")
    told = staffed.app.openapi()["paths"]
    unsafe = [(m.upper(), path) for path, methods in told.items() for m in methods if m not in ("get", "head")]
    assert len(unsafe) > 10
    named = {"message_id": str(uuid4()), "refusal_id": str(uuid4()), "delivery_id": str(uuid4()), "name": "alf"}
    for method, path in unsafe:
        for field in ("sign_in_id", "any_id"):
            named[field] = str(uuid4())
        asked = path.format_map(named)
        answer = await person.http.request(method, asked, json={})
        assert answer.status_code == 403, (method, path, answer.status_code)
        assert "X-CSRF-Token" in answer.json()["detail"]


async def test_a_document_is_read_with_a_reason_that_stands_in_the_timeline(staffed: Api) -> None:
    message = await a_message(staffed)
    kari = await browser(staffed, "kari")
    path = f"/operations/messages/{message}/document"
    for asked in ({}, {"reason": ""}, {"reason": "   "}, {"reason": "x" * 501}, {"reason": "a", "more": 1}):
        assert (await kari.send("POST", path, json=asked)).status_code == 400
    read = await kari.send("POST", path, json=REASON)
    assert (read.status_code, read.content) == (200, ADMITTED)
    assert read.headers["content-type"].startswith("application/xml")
    story = (await (await staffed.of("sykehus")).get(f"/operations/messages/{message}")).json()
    lines = [line for line in story["timeline"] if line["event"] == "document.read"]
    assert [(line["actor"], line["detail"]["reason"]) for line in lines] == [("person:kari", REASON["reason"])]
    assert (await kari.send("POST", f"/operations/messages/{uuid4()}/document", json=REASON)).status_code == 404
    operator = await staffed.of("operator")
    assert (await operator.post(path, json=REASON)).content == ADMITTED, "a key may too, and needs no form token"


async def test_a_refused_document_is_read_with_a_reason_too(staffed: Api) -> None:
    refusal = await a_refusal(staffed)
    kari = await browser(staffed, "kari")
    path = f"/operations/refused/{refusal}/document"
    assert (await kari.send("POST", path, json={"reason": " "})).status_code == 400
    read = await kari.send("POST", path, json=REASON)
    assert (read.status_code, read.content) == (200, b"<a>05073500186</a>")
    for client in ("sykehus", "kommune"):
        assert (await (await staffed.of(client)).post(path, json=REASON)).status_code == 403
    auditor = Client("auditor", "auditor", Role.AUDITOR)
    log = await inspect.audit_log(staffed.world.exchange, auditor, limit=1000, event="document.read")
    assert [(line["actor"], line["detail"]["reason"], line["detail"]["refusal"]) for line in log] == [
        ("person:kari", REASON["reason"], refusal)
    ]


async def test_people_of_a_party_see_their_own_organisation_as_the_other_side_does(staffed: Api) -> None:
    message = await a_message(staffed)
    nils = await browser(staffed, "nils")
    told = (await nils.send("GET", f"/operations/messages/{message}")).json()
    assert told == (await (await staffed.of("sykehus")).get(f"/operations/messages/{message}")).json()
    session = (await nils.send("GET", "/session")).json()
    assert (session["herIds"], session["actions"]) == ([NURSING], ["read"])
    await accounts.change_role(staffed.app.state.exchange, ADMIN, "nils", Role.PARTY, frozenset({GP}))
    elsewhere = await browser(staffed, "nils")
    assert (await elsewhere.send("GET", f"/operations/messages/{message}")).status_code == 404
    assert (await elsewhere.send("GET", "/operations/messages")).json()["messages"] == []


async def test_an_administrator_looks_after_accounts(staffed: Api) -> None:
    ada, kari = await browser(staffed, "ada"), await browser(staffed, "kari")
    listed = (await ada.send("GET", "/operations/accounts")).json()["accounts"]
    assert [one["name"] for one in listed] == ["ada", "alf", "kari", "nils"]
    assert not {"passwordHash", "subject"} & {*listed[0]}
    stranger = await browser(staffed)
    for _ in range(5):
        assert (await stranger.sign_in("kari", "wrong it is")).status_code == 401
    assert (await ada.send("GET", "/operations/accounts/kari")).json()["lockedUntil"]
    assert (await ada.send("POST", "/operations/accounts/kari/unlock")).status_code == 204
    assert (await stranger.sign_in("kari")).status_code == 303
    (first, second) = (await ada.send("GET", "/sign-ins?account=kari")).json()["signIns"]
    assert (await ada.send("DELETE", f"/sign-ins/{first['id']}")).status_code == 204
    assert [(await one.get("/session")).status_code for one in (kari, stranger)] in ([200, 401], [401, 200])
    role = {"role": "party", "herIds": [NURSING, GP]}
    assert (await ada.send("PUT", "/operations/accounts/kari/role", json=role)).status_code == 204
    assert [(await one.get("/session")).status_code for one in (kari, stranger)] == [401, 401]
    changed = (await ada.send("GET", "/operations/accounts/kari")).json()
    assert (changed["role"], changed["herIds"]) == ("party", [NURSING, GP])
    unfit = ({"role": "king"}, {"role": "party"}, {"role": "admin", "herIds": [GP]}, {"role": "party", "herIds": [99]})
    for wrong in unfit:
        assert (await ada.send("PUT", "/operations/accounts/kari/role", json=wrong)).status_code == 400
    assert (await ada.send("PUT", "/operations/accounts/ada/role", json={"role": "auditor"})).status_code == 403
    assert (await ada.send("POST", "/operations/accounts/ada/disable")).status_code == 403
    assert (await ada.send("GET", "/operations/accounts/nobody")).status_code == 404
    assert second["account"] == "kari"


async def test_a_session_ends_and_a_passphrase_changes_over_json_too(staffed: Api) -> None:
    kari = await browser(staffed, "kari")
    wanted = {"current": "kaffe og tykk tåke", "wanted": "seks sløve sagblad"}
    assert (await kari.send("PUT", "/session/passphrase", json=wanted | {"wanted": "short"})).status_code == 400
    assert (await kari.send("PUT", "/session/passphrase", json=wanted)).status_code == 204
    assert (await kari.send("GET", "/session")).status_code == 401
    again = await browser(staffed)
    assert (await again.sign_in("kari", wanted["wanted"])).status_code == 303
    assert (await again.send("DELETE", "/session")).status_code == 204
    assert (await again.send("GET", "/session")).status_code == 401
    operator = await staffed.of("operator")
    session = (await operator.get("/session")).json()
    assert (session["role"], session["signIn"], session["csrfToken"]) == ("operator", None, None)
    assert (await operator.put("/session/passphrase", json=wanted)).status_code == 403
    assert (await operator.get("/sign-ins")).json() == {"signIns": []}
