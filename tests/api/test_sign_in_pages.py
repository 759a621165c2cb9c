"""Where people sign in: what the pages show and set, what they refuse, and that no other page can act for a person."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from browsers import HOME, PASSPHRASE, Browser, browser, employ
from lxml import html
from sqlalchemy import select

from doors import Api
from messaging.api.visit import own_path
from messaging.flow.admission import Admission, AdmissionTerms
from messaging.http import ASGITransport, AsyncClient, Response
from messaging.model.sight import EVERYTHING
from messaging.store import tables

OTHER = "seks sløve sagblad"
FORGOTTEN = '"cache", "storage"'


@pytest.fixture(params=["sqlite"])
async def database_url(request: pytest.FixtureRequest, databases: Any) -> str:
    """What the pages do does not hang on the database; the verbs behind them are proved on both."""
    return str(await getattr(databases, request.param)())


@pytest.fixture
async def staffed(api: Api) -> Api:
    await employ(api)
    return api


def cookies(response: Response) -> dict[str, str]:
    """Read what a response sets: name to everything after it."""
    pairs = [line.partition("=") for line in response.headers.get_list("set-cookie")]
    return {name: rest for name, _, rest in pairs}


def words(response: Response, path: str) -> str:
    return " ".join(" ".join(html.document_fromstring(response.text).xpath(f"{path}//text()")).split())


async def told(api: Api, event: str) -> list[dict[str, Any]]:
    async with api.world.exchange.database.read(EVERYTHING) as tx:
        rows = await tx.execute(select(tables.audit).where(tables.audit.c.event == event).order_by(tables.audit.c.id))
        return [dict(row) for row in rows.mappings()]


async def test_a_person_signs_in_sees_it_and_signs_out(staffed: Api) -> None:
    one = await browser(staffed)
    page = await one.get("/sign-in")
    assert (page.status_code, words(page, "//h1")) == (200, "Logg inn")
    assert (await one.get("/session")).status_code == 401
    answer = await one.sign_in("kari")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    page = await one.get("/sign-in")
    assert (words(page, "//h1"), words(page, "//*[@class='who']")) == ("Du er logget inn", "Kari")
    session = (await one.get("/session")).json()
    assert (session["id"], session["role"], session["signIn"]["way"]) == ("person:kari", "operator", "passphrase")
    answer = await one.post("/sign-out", await one.form(action="/sign-out"))
    assert (answer.headers["clear-site-data"], cookies(answer).keys()) == (FORGOTTEN, {"__Host-samhandling"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?lang=nb")
    assert (await one.get("/session")).status_code == 401
    assert words(await one.get("/sign-in?lang=en"), "//h1") == "Sign in"
    assert [len(await told(staffed, event)) for event in ("person.signed_in", "person.signed_out")] == [1, 1]


async def test_what_is_wrong_is_told_on_the_page_and_never_what(staffed: Api) -> None:
    one = await browser(staffed)
    for name, passphrase in (("kari", "wrong it is"), ("<b>nobody</b>", PASSPHRASE), ("", "")):
        answer = await one.sign_in(name, passphrase)
        assert answer.status_code == 401
        assert "Bearer" in answer.headers["www-authenticate"]
        assert words(answer, "//*[@role='alert']").startswith("Brukernavnet eller passfrasen er feil")
        assert "nobody" not in answer.text
        assert "__Host-samhandling" not in cookies(answer)


@pytest.fixture
async def guarded(staffed: Api) -> Api:
    """Six wrong passphrases a minute from one address, and no more."""
    admission = Admission(AdmissionTerms(failures_per_minute=6))
    staffed.app.state.exchange = replace(staffed.app.state.exchange, admission=admission)
    return staffed


async def test_a22_guessing_passphrases_at_many_accounts_is_limited_by_address(guarded: Api) -> None:
    known = await browser(guarded, "kari")
    del known.http.cookies["__Host-samhandling"]
    guesser = await browser(guarded)
    answers = [await guesser.sign_in(name, "wrong it is") for name in ("ada", "alf", "nils", "no", "ada", "alf")]
    assert {answer.status_code for answer in answers} == {401}
    for name, passphrase in (("nils", "wrong it is"), ("nils", PASSPHRASE)):
        answer = await guesser.sign_in(name, passphrase)
        assert (answer.status_code, "__Host-samhandling" in cookies(answer)) == (429, False)
        assert 1 <= int(answer.headers["retry-after"]) <= 10
        assert words(answer, "//*[@role='alert']").startswith("For mange har skrevet feil passfrase fra dette nett")
    key = {"Authorization": "Bearer 000000000000.guessed"}
    assert (await guesser.get("/operations/messages", **key)).status_code == 401, "systems are counted apart"
    assert (await known.sign_in("kari")).status_code == 303, "who has been in from here is let in"
    transport = ASGITransport(guarded.app, client=("192.0.2.9", 1))
    async with AsyncClient(transport=transport, base_url=HOME) as elsewhere:
        assert (await Browser(elsewhere).sign_in("nils")).status_code == 303


async def test_a22_guessing_the_current_passphrase_is_limited_by_address_too(guarded: Api) -> None:
    thief = await browser(guarded, "kari")
    del thief.http.cookies["__Host-samhandling-browser"]
    form = await thief.form(action="/sign-in/passphrase") | {"wanted": OTHER, "again": OTHER}
    guess = {"current": "wrong it is", "wanted": OTHER}
    answers = [await thief.post("/sign-in/passphrase", form | {"current": "wrong it is"}) for _ in range(3)]
    answers += [await thief.send("PUT", "/session/passphrase", json=guess) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {400}
    page = await thief.post("/sign-in/passphrase", form | {"current": PASSPHRASE})
    assert words(page, "//*[@role='alert']").startswith("For mange har skrevet feil passfrase")
    told = await thief.send("PUT", "/session/passphrase", json=guess)
    for answer in (page, told):
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 10


async def test_a27_the_session_cookie_is_kept_from_scripts_other_sites_and_clear_text(staffed: Api) -> None:
    one = await browser(staffed)
    fields = await one.form() | {"name": "kari", "passphrase": PASSPHRASE}
    answer = await one.post("/sign-in", fields)
    token, *flags = cookies(answer)["__Host-samhandling"].split("; ")
    assert len(token) == 43
    assert {flag.lower() for flag in flags} == {"httponly", "secure", "samesite=strict", "path=/"}
    for name in ("__Host-samhandling-browser", "__Host-samhandling-form"):
        flags = cookies(answer)[name].lower().split("; ")
        assert {"httponly", "secure", "samesite=strict", "path=/"} < {*flags}
        assert not [flag for flag in flags if flag.startswith("domain")]


async def test_a27_a_plain_cookie_is_no_session_over_https(staffed: Api) -> None:
    one = await browser(staffed, "kari")
    token = one.http.cookies["__Host-samhandling"]
    other = await browser(staffed)
    assert (await other.get("/session", Cookie=f"samhandling={token}")).status_code == 401
    assert (await other.get("/session", Cookie=f"__Host-samhandling={token}")).status_code == 200


async def test_on_this_machine_http_is_enough_and_elsewhere_it_is_not(staffed: Api) -> None:
    near = await browser(staffed, "kari", "http://127.0.0.1:8080")
    assert near.http.cookies["samhandling"]
    assert "__Host-samhandling" not in near.http.cookies
    far = await browser(staffed, None, "http://samhandling")
    page = await far.get("/sign-in")
    assert page.status_code == 403
    assert "https" in words(page, "//*[@role='alert']")
    assert html.document_fromstring(page.text).xpath("//form") == []
    answer = await far.post("/sign-in", {"name": "kari", "passphrase": PASSPHRASE})
    assert (answer.status_code, "samhandling" in cookies(answer)) == (403, False)


async def test_a27_a_planted_session_is_never_taken_over(staffed: Api) -> None:
    attacker = await browser(staffed, "nils")
    planted = attacker.http.cookies["__Host-samhandling"]
    victim = await browser(staffed)
    victim.http.cookies.set("__Host-samhandling", planted, domain="samhandling.local")
    page = await victim.form(action="/sign-out")
    assert page["csrf"]
    fresh = await browser(staffed)
    fields = await fresh.form() | {"name": "kari", "passphrase": PASSPHRASE}
    fresh.http.cookies.set("__Host-samhandling", planted, domain="samhandling.local")
    answer = await fresh.post("/sign-in", fields)
    given = cookies(answer)["__Host-samhandling"].partition(";")[0]
    assert given != planted
    assert (await attacker.get("/session")).status_code == 401, "what was planted ended"
    unknown = await browser(staffed)
    fields = await unknown.form() | {"name": "kari", "passphrase": PASSPHRASE}
    unknown.http.cookies.set("__Host-samhandling", "A" * 43, domain="samhandling.local")
    given = cookies(await unknown.post("/sign-in", fields))["__Host-samhandling"].partition(";")[0]
    assert given not in (planted, "A" * 43)


async def test_a27_pages_stand_in_no_frame_and_run_no_script_but_ours(staffed: Api) -> None:
    one = await browser(staffed)
    pages = [await one.get("/sign-in")]
    await one.sign_in("kari")
    pages.append(await one.get("/sign-in"))
    for page in pages:
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        for part in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
            assert part in policy
        assert "unsafe" not in policy
        assert page.headers["cache-control"] == "no-store"
        tree = html.document_fromstring(page.text)
        assert tree.xpath("//script | //*[@style or starts-with(name(@*), 'on')]") == []
        assert [link for link in tree.xpath("//@href | //@action") if not link.startswith("/")] == []
        for name in tree.xpath("//input[not(@type='hidden') and not(@hidden)]/@id"):
            assert tree.xpath("//label[@for=$name]", name=name), name


FORGED: dict[str, tuple[dict[str, str], str]] = {
    "another site": ({"Sec-Fetch-Site": "cross-site"}, "foreign_page"),
    "a sister site": ({"Sec-Fetch-Site": "same-site"}, "foreign_page"),
    "another origin": ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, "foreign_origin"),
    "the same host over http": ({"Origin": "http://samhandling"}, "foreign_origin"),
    "another port": ({"Origin": f"{HOME}:8443"}, "foreign_origin"),
    "an origin that hides": ({"Origin": "null", "Sec-Fetch-Site": ""}, "foreign_page"),
}


@pytest.mark.parametrize("case", FORGED)
async def test_a27_a_foreign_page_changes_nothing_even_with_the_token(staffed: Api, case: str) -> None:
    headers, reason = FORGED[case]
    one = await browser(staffed, "ada")
    answer = await one.send("POST", "/operations/accounts/kari/disable", headers=headers)
    assert answer.status_code == 403
    assert [line["detail"]["reason"] for line in await told(staffed, "access.request_forged")] == [reason]
    assert await told(staffed, "account.disabled") == []
    form = await one.form(action="/sign-out")
    assert (await one.post("/sign-out", form, **headers)).status_code == 403
    assert (await one.get("/session")).status_code == 200


async def test_a27_without_its_token_or_with_another_sessions_nothing_changes(staffed: Api) -> None:
    one, other = await browser(staffed, "ada"), await browser(staffed, "ada")
    for csrf, reason in (
        ("", "no_token"),
        (other.csrf, "wrong_token"),
        (one.csrf[:-1], "wrong_token"),
        ("é", "wrong_token"),
    ):
        headers = {"X-CSRF-Token": csrf.encode()} if csrf else {"X-CSRF-Token": ""}
        answer = await one.send("POST", "/operations/accounts/kari/disable", headers=headers)
        assert answer.status_code == 403
        assert (await told(staffed, "access.request_forged"))[-1]["detail"] == {"reason": reason}
    for csrf in ("", other.csrf):
        assert (await one.post("/sign-out", {"csrf": csrf})).status_code == 403
    assert await told(staffed, "account.disabled") == []
    assert (await one.send("POST", "/operations/accounts/kari/disable")).status_code == 204
    programme = {"X-CSRF-Token": one.csrf}
    answer = await one.http.post("/operations/accounts/kari/enable", headers=programme)
    assert answer.status_code == 204, "a program that is no browser names no origin"


async def test_a27_nobody_is_signed_in_from_a_foreign_page(staffed: Api) -> None:
    one, other = await browser(staffed), await browser(staffed)
    fields = await one.form() | {"name": "kari", "passphrase": PASSPHRASE}
    theirs = await other.form()
    for changed, headers in (
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Origin": "https://evil.example"}),
        ({"csrf": ""}, {}),
        ({"csrf": theirs["csrf"]}, {}),
    ):
        answer = await one.post("/sign-in", fields | changed, **headers)
        assert (answer.status_code, "__Host-samhandling" in cookies(answer)) == (403, False)
    assert await told(staffed, "person.signed_in") == []
    assert (await one.post("/sign-in", fields)).status_code == 303


async def test_a_key_and_a_session_at_once_are_refused(staffed: Api) -> None:
    one = await browser(staffed, "kari")
    headers = {"Authorization": f"Bearer {staffed.world.keys['operator']}"}
    assert (await one.get("/operations/messages", **headers)).status_code == 401


async def test_one_goes_on_to_a_path_of_ours_and_nowhere_else(staffed: Api) -> None:
    one = await browser(staffed)
    answer = await one.sign_in("kari", onward="/console?a=b")
    assert answer.headers["location"] == "/console?a=b"
    answer = await one.get("/sign-in?next=/console%3Fa=b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console?a=b")
    for foreign in (
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\r\nb",
        "x",
        "/æ",
    ):
        assert own_path(foreign) == ""
        other = await browser(staffed)
        assert (await other.sign_in("kari", onward=foreign)).headers["location"] == "/console"


async def test_who_comes_by_a_link_from_elsewhere_is_led_on_by_a_step_of_our_own(staffed: Api) -> None:
    one = await browser(staffed)
    page = await one.get("/sign-in?next=/console%3Fa=b%26c", **{"Sec-Fetch-Site": "cross-site"})
    (step,) = html.document_fromstring(page.text).xpath("//meta[@http-equiv='refresh']/@content")
    assert step == "0; url=/sign-in?lang=nb&next=%2Fconsole%3Fa%3Db%26c"


async def test_sign_ins_are_seen_and_ended_on_the_page(staffed: Api) -> None:
    one, other = await browser(staffed, "kari"), await browser(staffed, "kari")
    form = await one.form(action="/sign-in/end")
    assert (await one.post("/sign-in/end", form)).status_code == 303
    assert [(await each.get("/session")).status_code for each in (one, other)] == [200, 401]
    page = html.document_fromstring((await one.get("/sign-in")).text)
    assert page.xpath("//form[starts-with(@action, '/sign-in/end')]") == []


async def test_a_passphrase_is_changed_on_the_page(staffed: Api) -> None:
    one = await browser(staffed, "kari")
    form = await one.form(action="/sign-in/passphrase")
    for current, wanted, again, said in (
        (PASSPHRASE, OTHER, "else", "ikke like"),
        (PASSPHRASE, "short", "short", "for kort"),
        ("wrong it is", OTHER, OTHER, "er feil"),
    ):
        answer = await one.post("/sign-in/passphrase", form | {"current": current, "wanted": wanted, "again": again})
        assert (answer.status_code, said in words(answer, "//*[@role='alert']")) == (400, True)
    answer = await one.post("/sign-in/passphrase", form | {"current": PASSPHRASE, "wanted": OTHER, "again": OTHER})
    assert words(answer, "//*[@role='status']") == "Passfrasen er endret. Logg inn med den nye."
    assert answer.headers["clear-site-data"] == FORGOTTEN
    assert (await one.get("/session")).status_code == 401
    assert (await one.sign_in("kari")).status_code == 401
    assert (await one.sign_in("kari", OTHER)).status_code == 303


async def test_a_form_that_is_none_or_too_large_is_refused(staffed: Api) -> None:
    one = await browser(staffed)
    assert (await one.http.post("/sign-in", json={})).status_code == 415
    assert (await one.post("/sign-in", {"name": "x" * 20_000})).status_code == 413
    assert (await one.http.post("/sign-in", data={str(n): "" for n in range(60)})).status_code == 400
