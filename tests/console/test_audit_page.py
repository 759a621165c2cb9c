"""The pages of the audit log: who finds which lines, by what, page by page, and that a search is itself in the log."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from browsers import browser, employ
from lxml import html
from sqlalchemy import select
from test_pages import NURSING, page, sent

from doors import Api
from messaging.console.asked import NO_NUMBER
from messaging.console.page import words_of
from messaging.model.audit import EVENTS
from messaging.model.sight import EVERYTHING
from messaging.store import audit
from messaging.store import tables as t
from messaging.store.audit import Line

AUDIT, READINGS = "/console/audit", "/console/audit/readings"
NUMBER = "05073500186"


async def write(api: Api, event: str, **more: Any) -> None:
    async with api.world.exchange.database.write(EVERYTHING) as tx:
        await audit.write(tx, Line(api.world.clock(), event, more.pop("actor", "test"), **more))


async def searches(api: Api) -> list[dict[str, Any]]:
    c = t.audit.c
    async with api.world.exchange.database.read(EVERYTHING) as tx:
        query = select(c.detail).where(c.event == "messages.searched").order_by(c.id)
        return list(await tx.scalars(query))


def numbers(text: str) -> list[int]:
    """Name the lines that a page shows."""
    cells = html.document_fromstring(text).xpath("//main//tbody/tr/td[@class='number']")
    return [int(cell.text_content()) for cell in cells]


def shown(text: str) -> str:
    """Give what a page's table says."""
    return " ".join(one.text_content() for one in html.document_fromstring(text).xpath("//main//tbody"))


@pytest.mark.parametrize("language", ["nb", "en"])
def test_every_event_and_every_subject_of_events_has_words(language: str) -> None:
    words = words_of(language)
    assert [event for event in EVENTS if not words["events"].get(event)] == []
    assert {event.partition(".")[0] for event in EVENTS} == set(words["subjects"])
    assert [event for event in words["events"] if event not in EVENTS] == []


async def test_lines_are_found_by_event_actor_message_party_and_time(api: Api) -> None:
    message_id = await sent(api)
    api.world.clock.forward(hours=1)
    await write(api, "party.configured", her_id=NURSING, actor="person:ada")
    await write(api, "person.signed_in", actor="person:kari")
    for query, found, not_found in (
        ("event=party.configured", "Partens oppsett", "logget inn"),
        ("event=person", "Noen logget inn", "Partens oppsett"),
        ("actor=person:kari", "Noen logget inn", "Meldingen er mottatt"),
        (f"id={message_id}", "Meldingen er mottatt", "Partens oppsett"),
        (f"party={NURSING}", "Partens oppsett", "Noen logget inn"),
        (f"party={NURSING}", "Meldingen er mottatt", "Noen logget inn"),
        ("from=2026-03-09T13:30", "Noen logget inn", "Meldingen er mottatt"),
        ("to=2026-03-09T13:30", "Meldingen er mottatt", "Noen logget inn"),
        ("event=test.retired", "", "Meldingen er mottatt"),
    ):
        told = shown(await page(api, f"{AUDIT}?{query}"))
        assert found in told, query
        assert not_found not in told, query


async def test_the_log_comes_newest_first_in_pages_and_no_line_twice(api: Api) -> None:
    for _ in range(60):
        await write(api, "person.signed_in", her_id=NURSING)
    first = await page(api, f"{AUDIT}?event=person&party={NURSING}")
    (older,) = re.findall(r'href="(/console/audit\?[^"]+)" rel="next"', first)
    seen = numbers(first) + numbers(await page(api, older.replace("&amp;", "&")))
    assert len(set(seen)) == 60
    assert seen == sorted(seen, reverse=True)


async def test_an_organisations_own_people_find_only_lines_of_their_own_messages(api: Api) -> None:
    await sent(api)
    await write(api, "person.signed_in", actor="person:kari")
    await write(api, "party.configured", her_id=NURSING)
    own, foreign = await page(api, AUDIT, "kommune"), await page(api, AUDIT, "lege")
    assert "Meldingen er mottatt" in shown(own)
    assert "Noen logget inn" not in shown(own)
    assert "Partens oppsett" not in shown(own)
    assert numbers(foreign) == numbers(await page(api, f"{AUDIT}?party={NURSING}", "lege")) == []
    assert "/console/audit/seals" not in own
    assert await searches(api) == [], "what is one's own is looked at without a line"


async def test_a_search_of_the_log_is_itself_a_line_without_what_was_typed(api: Api) -> None:
    message_id = await sent(api)
    await page(api, f"{AUDIT}?event=person&actor=Kari+Nordmann&party={NURSING}")
    await page(api, f"{READINGS}?id={message_id}")
    told = [(line["what"], line["door"], line["asked"]) for line in await searches(api)]
    assert told == [
        ("audit log", "console", {"event": "given", "by": "given", "party": NURSING}),
        ("readings", "console", {"message": message_id}),
    ]


async def test_both_sides_and_whoever_audits_see_alike_who_has_read_what_and_no_stranger_does(api: Api) -> None:
    await employ(api)
    message_id, other = await sent(api), await sent(api)
    kari = await browser(api, "kari")
    await kari.post(f"/console/messages/{message_id}/document", {"reason": "Avvik 4711", "csrf": kari.csrf})
    await (await api.of("kommune")).get(f"/console/messages/{other}")
    for client in ("sykehus", "kommune", "operator"):
        for query in ("", f"?id={message_id}", f"?party={NURSING}", "?actor=person:kari"):
            told = shown(await page(api, f"{READINGS}{query}", client))
            assert "Avvik 4711" in told, (client, query)
            assert "dokumentet" in told
        assert "Avvik" not in shown(await page(api, f"{READINGS}?id={other}", client))
    for query in ("", f"?id={message_id}"):
        assert shown(await page(api, f"{READINGS}{query}", "lege")) == ""


@pytest.mark.parametrize("path", [AUDIT, READINGS])
async def test_a_patients_number_is_taken_out_of_the_address_and_searched_for_nowhere(api: Api, path: str) -> None:
    operator = await api.of("operator")
    for query in (f"id={NUMBER}", "actor=050735+00186", f"id=x+{NUMBER}"):
        answer = await operator.get(f"{path}?{query}&party={NURSING}")
        assert answer.status_code == 303
        assert answer.headers["Location"] == f"{path}?party={NURSING}&refused=number"
    told = await page(api, answer.headers["Location"])
    assert "skal ikke stå i adressefeltet" in told
    assert NUMBER not in told
    assert [line["asked"] for line in await searches(api)] == [{"party": NURSING}]


def test_the_field_takes_ids_and_no_patients_number() -> None:
    takes = re.compile(NO_NUMBER)
    for number in (NUMBER, "050735 00186", f"se {NUMBER}", "050735-00186"):
        assert takes.fullmatch(number) is None, number
    for fine in ("", str(uuid4()), "00000000-0000-4000-8000-a12345678901", "person:kari", "8110001", "20260309123456"):
        assert takes.fullmatch(fine) is not None, fine


async def test_an_id_that_ends_like_a_number_is_an_id(api: Api) -> None:
    assert numbers(await page(api, f"{AUDIT}?id={UUID('00000000-0000-4000-8000-a12345678901')}")) == []


async def test_a13_markup_in_any_column_of_the_log_is_text(api: Api) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    message_id = UUID(await sent(api))
    for event in ("document.read", "delivery.handled", hostile[:60]):
        detail = {"reason": hostile, "note": hostile, "role": hostile, "door": hostile, hostile: {hostile: [hostile]}}
        await write(api, event, actor=hostile, message_id=message_id, detail=detail)
    typed = f"event={hostile[:60]}", f"actor={hostile}", f"id={hostile}"
    for path in (AUDIT, READINGS, *(f"{AUDIT}?{one}" for one in typed), *(f"{READINGS}?{one}" for one in typed[1:])):
        told = await page(api, path)
        tree = html.document_fromstring(told)
        assert not tree.xpath("//img | //script[not(@src)] | //*[@onerror]"), path
        assert "&lt;script&gt;alert(1)" in told


@pytest.mark.parametrize("query", ["party=x", "from=yesterday", "cursor=x", f"event={'x' * 61}"])
async def test_a_search_that_cannot_be_read_is_refused(api: Api, query: str) -> None:
    answer = await (await api.of("operator")).get(f"{AUDIT}?{query}")
    assert answer.status_code == 400
