"""A document is shown for a reason, which both sides see; nothing of it becomes markup, whatever it holds."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from browsers import browser, employ
from lxml import html
from sqlalchemy import text, update
from test_message_page import lines
from test_pages import ADMITTED, sent

from doors import Api
from messaging.model.sight import EVERYTHING
from messaging.store import tables as t

REASON = "Avvik 4711"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"
ESCAPED = HOSTILE.replace("<", "&lt;").replace(">", "&gt;").encode()
TEXTS = re.compile(rb"(>)([^<>\s][^<>]*)(</)")


@pytest.fixture
async def staffed(api: Api) -> Api:
    await employ(api)
    return api


@pytest.mark.parametrize("name", ["kari", "ada"])
@pytest.mark.parametrize("way", ["person", "xml"])
async def test_a_document_is_shown_for_a_reason_that_both_sides_then_see(staffed: Api, name: str, way: str) -> None:
    message_id = await sent(staffed)
    one = await browser(staffed, name)
    path = f"/console/messages/{message_id}"
    fields = await one.form(path, f"{path}/document") | {"reason": REASON, "as": way}
    answer = await one.post(f"{path}/document", fields)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert ("&lt;MsgId&gt;" in answer.text) is (way == "xml")
    assert ('<article class="document"' in answer.text) is (way == "person")
    (line,) = await lines(staffed, message_id, "document.read")
    assert (line["actor"], line["detail"]["reason"]) == (f"person:{name}", REASON)
    for client in ("sykehus", "kommune"):
        assert REASON in (await (await staffed.of(client)).get(path)).text


@pytest.mark.parametrize("reason", ["", "  ", "gjelder 05073500186"])
async def test_without_a_reason_or_with_a_patients_number_in_it_nothing_is_shown(staffed: Api, reason: str) -> None:
    message_id = await sent(staffed)
    kari = await browser(staffed, "kari")
    answer = await kari.post(f"/console/messages/{message_id}/document", {"reason": reason, "csrf": kari.csrf})
    assert answer.status_code == 400
    assert "05073500186" not in answer.text
    assert "&lt;MsgId" not in answer.text
    assert await lines(staffed, message_id, "document.read") == []


async def test_a27_who_may_not_read_gets_no_form_and_no_document_and_no_other_page_reads(staffed: Api) -> None:
    message_id = await sent(staffed)
    path = f"/console/messages/{message_id}"
    asked = {"reason": REASON, "as": "xml"}
    for name in ("alf", "nils"):
        one = await browser(staffed, name)
        assert f"{path}/document" not in (await one.get(path)).text
        assert (await one.post(f"{path}/document", asked | {"csrf": one.csrf})).status_code == 403, name
    kari = await browser(staffed, "kari")
    assert (await kari.post(f"{path}/document", asked)).status_code == 403
    forged = await kari.post(f"{path}/document", asked | {"csrf": kari.csrf}, **{"Sec-Fetch-Site": "cross-site"})
    assert forged.status_code == 403
    unknown = "/console/messages/00000000-0000-4000-8000-000000000000/document"
    assert (await kari.post(unknown, asked | {"csrf": kari.csrf})).status_code == 404
    assert await lines(staffed, message_id, "document.read") == []


async def test_a_document_that_is_gone_or_damaged_is_told_in_words(staffed: Api) -> None:
    gone, damaged = await sent(staffed), await sent(staffed)
    async with staffed.world.exchange.database.write(EVERYTHING) as tx:
        named = {"id": UUID(gone).hex if staffed.world.exchange.database.is_sqlite else UUID(gone)}
        await tx.connection.execute(text("DELETE FROM payload_key WHERE content_id = :id"), named)
        await tx.connection.execute(text("DELETE FROM payload WHERE message_id = :id"), named)
        spoilt = update(t.payload).where(t.payload.c.message_id == UUID(damaged)).values(content=b"x" * 60)
        await tx.connection.execute(spoilt)
    kari = await browser(staffed, "kari")
    for message_id, status, said in ((gone, 404, "tiden det skulle oppbevares"), (damaged, 503, "er skadet")):
        fields = {"reason": REASON, "csrf": kari.csrf}
        answer = await kari.post(f"/console/messages/{message_id}/document", fields)
        assert (answer.status_code, said in answer.text) == (status, True)


async def test_a13_markup_in_every_text_that_takes_it_is_shown_as_text_on_every_page(staffed: Api) -> None:
    sykehus, kari = await staffed.of("sykehus"), await browser(staffed, "kari")
    planted = 0
    for place in TEXTS.finditer(ADMITTED):
        content = ADMITTED[: place.start(2)] + ESCAPED + ADMITTED[place.end(2) :]
        unique = f"00000000-0000-4000-8000-{planted:012d}".encode()
        if b"MsgId" not in ADMITTED[place.start() - 6 : place.start() + 1]:
            content = re.sub(rb"(<MsgId>)[^<]+", rb"\g<1>" + unique, content, count=1)
        answer = await sykehus.post("/documents", content=content, headers={"Content-Type": "application/xml"})
        if answer.status_code != 202:
            continue
        planted += 1
        message_id = answer.json()["id"]
        path = f"/console/messages/{message_id}"
        asked = {"reason": HOSTILE, "csrf": kari.csrf}
        pages = [await kari.post(f"{path}/document", asked | {"as": way}) for way in ("person", "xml")]
        pages += [await kari.get(one) for one in (path, "/console/messages", f"/console/conversations/{message_id}")]
        for page in pages:
            assert page.status_code == 200
            tree = html.document_fromstring(page.text)
            assert not tree.xpath("//img | //script[not(@src)] | //*[@onerror]"), (place.group(2), page.url)
        assert "&lt;script&gt;alert(1)" in pages[1].text
    assert planted >= 8, "as many of the document's own texts take any words"
