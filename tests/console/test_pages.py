"""The console's pages: who sees what, what they say, and that nothing of a document ever becomes markup."""

from __future__ import annotations

import csv
import io
import re
from uuid import uuid4

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

import fixtures
from doors import Api
from messaging.api import sign_in_page, validate_page
from messaging.console import _PAGES

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
NURSING = 8110001
XML = {"Content-Type": "application/xml"}
PAGES = ["/console", "/console/messages", "/console/parties", "/console/routes", "/console/routes-resend"]
PAGES += ["/console/audit", "/console/audit/readings", "/console/audit/seals"]
UNKNOWN = "/console/messages/00000000-0000-4000-8000-000000000000"


async def sent(api: Api, content: bytes = ADMITTED) -> str:
    content = re.sub(rb"(<MsgId>)[^<]+", rb"\g<1>" + str(uuid4()).encode(), content, count=1)
    answer = await (await api.of("sykehus")).post("/documents", content=content, headers=XML)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def page(api: Api, path: str, client: str = "operator", **headers: str) -> str:
    answer = await (await api.of(client)).get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return answer.text


@pytest.mark.parametrize("path", [*PAGES, UNKNOWN, "/console/charts/day.svg"])
async def test_whoever_has_not_signed_in_is_led_to_the_page_where_one_does_and_back(api: Api, path: str) -> None:
    answer = await (await api.of(None)).get(f"{path}?lang=en")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/sign-in?next={path}%3Flang%3Den"


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_takes_nothing_from_elsewhere_and_lies_in_no_frame(api: Api, path: str) -> None:
    answer = await (await api.of("operator")).get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r"""<(script|style)[^>]*>[^<]|\son\w+=|\sstyle=""", answer.text), "nothing inline"


async def test_the_console_speaks_norwegian_unless_english_is_asked_for_and_remembers_it(api: Api) -> None:
    assert "Ingenting venter på noen nå." in await page(api, "/console")
    assert "Nothing waits for anybody now." in await page(api, "/console", **{"Accept-Language": "en-GB"})
    answer = await (await api.of("operator")).get("/console?lang=en")
    assert "samhandling-language=en" in answer.headers["Set-Cookie"]
    assert "Nothing waits for anybody now." in await page(api, "/console", Cookie="samhandling-language=en")


async def test_the_first_page_says_what_needs_somebody_and_leads_to_it(api: Api) -> None:
    await sent(api)
    api.world.clock.forward(days=30)
    text = await page(api, "/console")
    assert "mangler kvittering etter fristen" in text
    assert '<span class="figure">1</span>' in text
    assert 'href="/console/messages?overdue=true"' in text
    assert await listed(api, "/console/messages?overdue=true") != []


async def listed(api: Api, path: str, client: str = "operator") -> list[str]:
    return re.findall(r'<a href="/console/messages/([0-9a-f-]{36})">', await page(api, path, client))


async def test_each_sees_the_messages_of_its_own_parties_and_an_operator_all(api: Api) -> None:
    message_id = await sent(api)
    for client, seen in (("operator", True), ("sykehus", True), ("kommune", True), ("lege", False)):
        assert (message_id in await listed(api, "/console/messages", client)) is seen, client
        answer = await (await api.of(client)).get(f"/console/messages/{message_id}")
        assert answer.status_code == (200 if seen else 404), client


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("type=LOG_INNLAGT", True),
        ("type=EPIKRISE", False),
        ("state=waiting", True),
        ("state=sent&party=", False),
        ("party=8110001&from=2026-03-09T12:00", True),
        ("to=2026-03-09T12:00", False),
        ("id=", True),
    ],
)
async def test_a_search_lives_in_the_address_bar_and_an_empty_field_asks_for_nothing(
    api: Api,
    query: str,
    found: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    message_id = await sent(api)
    assert (message_id in await listed(api, f"/console/messages?{query}")) is found


async def test_older_messages_are_a_page_away_and_none_comes_twice(api: Api) -> None:
    ids = set()
    for _ in range(51):
        ids.add(await sent(api))
        api.world.clock.forward(seconds=1)
    first = await page(api, "/console/messages")
    (older,) = re.findall(r'href="(/console/messages\?cursor=[^"]+)" rel="next"', first)
    seen = await listed(api, "/console/messages") + await listed(api, older)
    assert len(seen) == 51
    assert set(seen) == ids


async def test_a_message_tells_how_it_stands_and_all_that_has_happened(api: Api) -> None:
    message_id = await sent(api)
    kommune = await api.of("kommune", "3")
    said = {"appRecSenderHerId": NURSING, "appRecStatus": "Rejected", "appRecErrorList": [{"errorCode": "E36"}]}
    said |= {"applicationName": "EPJ", "applicationVersion": "1"}
    answer = await kommune.post(f"/messages/{message_id}/apprec", json=said)
    assert answer.status_code == 202, answer.text
    told = await page(api, f"/console/messages/{message_id}")
    for words in ("Meldingen er mottatt og lagret", "Negativ kvittering", "avvist", "E36", "Sykepleietjenesten"):
        assert words in told, words
    assert await page(api, f"/console/messages/{message_id}", "sykehus") != ""


async def test_a13_what_a_document_says_of_itself_never_becomes_markup_or_a_formula(api: Api) -> None:
    hostile = "=1+1<script>alert(1)</script>"
    client = await api.of("sykehus")
    headers = {**XML, "User-Agent": hostile}
    answer = await client.post("/documents", content=ADMITTED, headers=headers)
    message_id = answer.json()["id"]
    assert "<script>alert" not in await page(api, f"/console/messages/{message_id}")
    assert "&lt;script&gt;alert" in await page(api, f"/console/messages/{message_id}")
    query = {"id": hostile}
    shown = await (await api.of("operator")).get("/console/messages", params=query)
    assert "<script>alert" not in shown.text


async def test_the_list_is_given_as_a_file_for_a_spreadsheet(api: Api) -> None:
    message_id = await sent(api)
    answer = await (await api.of("operator")).get("/console/messages.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert row["id"] == message_id
    assert row["state"] == "waiting"


async def test_a_search_that_cannot_be_read_is_told_in_words(api: Api) -> None:
    answer = await (await api.of("operator")).get("/console/messages?party=abc")
    assert answer.status_code == 400
    assert "party" in answer.text


@pytest.mark.parametrize("name", ["day", "month"])
async def test_a_chart_is_an_image_of_its_own_that_may_run_nothing(api: Api, name: str) -> None:
    answer = await (await api.of("operator")).get(f"/console/charts/{name}.svg")
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.text.startswith("<svg")
    assert "Mottatt" in answer.text


async def test_a_stay_is_a_line_of_steps_that_says_what_is_missing_and_who_owes_it(api: Api) -> None:
    message_id = await sent(api)
    for client in ("operator", "kommune"):
        told = await page(api, f"/console/conversations/{message_id}", client)
        assert "LOG_INNLAGT" in told
        assert "<b>INNLEGGELSESRAPPORT</b>" in told
        assert "Venter på Sykepleietjenesten" in told
    answer = await (await api.of("lege")).get(f"/console/conversations/{message_id}")
    assert answer.status_code == 404


def forms(routers: list[APIRouter]) -> set[str]:
    """Find every path to which a form of our pages is sent."""
    found = [one for router in routers for one in router.routes if isinstance(one, APIRoute)]
    return {one.path for one in found if "POST" in one.methods and not one.include_in_schema}


async def test_a_browser_that_asks_for_what_only_a_form_sends_is_led_to_its_page(api: Api) -> None:
    of_console = [router for module in _PAGES for router in vars(module).values() if isinstance(router, APIRouter)]
    paths = forms([*of_console, sign_in_page.router, validate_page.router])
    assert {"/console/routes/{name}/{act}", "/sign-out", "/sign-in/passphrase", "/validate/page"} < paths
    named = {
        name: str(uuid4()) for name in ("message_id", "delivery_id", "search_id", "alarm_id", "rule_id", "hold_id")
    }
    named |= {"number": str(NURSING), "name": "far", "act": "park"}
    operator, led = await api.of("operator"), dict[str, str]()
    for path in sorted(paths):
        asked, seen = path.format(**named), await operator.get(path.format(**named))
        if seen.status_code != 303:
            assert seen.status_code != 405, path
            continue
        assert (await operator.head(asked)).headers["Location"] == seen.headers["Location"], path
        led[path] = seen.headers["Location"]
        there = await operator.get(led[path])
        here = 403 if led[path].startswith("/sign-in") else 404 if "message_id" in path else 200
        assert there.status_code == here, "nobody signs in over http, and there is no such message"
    assert len(led) >= 12
    assert led["/console/messages/{message_id}/document"] == f"/console/messages/{named['message_id']}"


async def test_where_a_browser_is_led_to_is_a_path_of_ours_whatever_it_asked_for(api: Api) -> None:
    nobody = await api.of(None)
    answer = await nobody.get("/console/messages/%2F%2Fevil.example%0d%0aX:%20y/document")
    assert (answer.status_code, "X" in answer.headers) in {(303, False), (404, False)}
    assert answer.headers.get("Location", "/console").startswith("/console")
