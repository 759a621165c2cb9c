"""The page that judges a file: what it shows, what it refuses, and that nothing of it stays."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest
from lxml import html
from sqlalchemy import func, select

import fixtures
from doors import Api
from messaging.api import validate_page
from messaging.api.source import MOST_LINES
from messaging.api.uploads import file_in
from messaging.api.validate_page import LARGEST, language_of
from messaging.http import Response
from messaging.model.sight import EVERYTHING
from messaging.store import tables

GOOD = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
BAD = fixtures.read("invalid/T02/several_faults.xml")
CUT = fixtures.read("invalid/T01/cut_off.xml")
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


async def send(api: Api, content: bytes, query: str = "", name: str = "melding.xml", **headers: str) -> Response:
    client = await api.of(None)
    files = {"document": (name, content, "text/xml")}
    return await client.post(f"/validate/page{query}", files=files, headers=headers)


def page(response: Response) -> html.HtmlElement:
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"] == POLICY
    tree = html.document_fromstring(response.text)
    assert tree.xpath("//*[@style or starts-with(name(@*), 'on')] | //script[text()]") == []
    return tree


def words(tree: html.HtmlElement, path: str) -> str:
    return " ".join(" ".join(found.text_content() for found in tree.xpath(path)).split())


async def rows(api: Api) -> dict[str, int]:
    async with api.world.exchange.database.read(EVERYTHING) as tx:
        names = {name: select(func.count()).select_from(table) for name, table in tables.metadata.tables.items()}
        return {name: int(await tx.scalar(query) or 0) for name, query in names.items()}


async def test_the_page_asks_for_a_file_without_a_key_or_a_script(api: Api) -> None:
    response = await (await api.of(None)).get("/validate")
    tree = page(response)
    assert response.status_code == 200
    (form,) = tree.xpath("//form")
    assert (form.get("method"), form.get("enctype"), form.get("action")) == (
        "post",
        "multipart/form-data",
        "/validate/page?lang=nb",
    )
    assert tree.xpath("//label/@for") == tree.xpath("//input/@id")
    assert words(tree, "//h1") == "Kontroller et dokument"


async def test_style_and_script_come_from_here(api: Api) -> None:
    client = await api.of(None)
    tree = page(await client.get("/validate"))
    linked = [(address, "text/css") for address in tree.xpath("//link/@href")]
    linked += [(address, "text/javascript") for address in tree.xpath("//script/@src")]
    assert len(linked) == 2
    for address, kind in linked:
        response = await client.get(address)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(kind)
        assert not re.search(r"https?:|url\(|@import|innerHTML|eval\(", response.text)


async def test_a_good_document_is_accepted_and_can_be_read(api: Api) -> None:
    tree = page(await send(api, GOOD))
    assert words(tree, "//section[@id='result']/h2") == "Godkjent"
    assert "Melding om innlagt pasient 1.6 (LOG_INNLAGT)" in words(tree, "//section[@id='result']")
    assert words(tree, "//article[@class='document']//h2") == "Melding om innlagt pasient"
    assert tree.xpath("//*[contains(@class, 'fault')]") == []
    assert len(tree.xpath("//details//tr")) == GOOD.count(b"\n") + 1


async def test_faults_stand_beside_the_lines_that_they_are_about(api: Api) -> None:
    verdict = api.world.exchange.validator.judge(BAD)
    tree = page(await send(api, BAD, "?lang=en"))
    assert words(tree, "//section[@id='result']/h2") == "Rejected"
    assert len(tree.xpath("//ol/li[@class='fault']")) == len(verdict.faults) > 1
    for fault in verdict.faults:
        (row,) = tree.xpath(f"//tr[@id='L{fault.line}']")
        assert "fault" in row.get("class")
        assert row.xpath("string(th)").split()[-1] == str(fault.line)
        assert row.xpath("string(td)").strip() == BAD.decode().split("\n")[(fault.line or 0) - 1].strip()
        notes = row.xpath("following-sibling::tr[contains(@class, 'note')]")
        said = " ".join(note.text_content() for note in notes)
        assert fault.code.value in said
        assert tree.xpath(f"//ol//a[@href='#L{fault.line}']")


async def test_a_document_that_is_no_xml_is_judged_too(api: Api) -> None:
    tree = page(await send(api, CUT))
    assert words(tree, "//section[@id='result']/h2") == "Avvist"
    assert "lar seg lese som XML" in words(tree, "//article")


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe\x9b<script>", b"\r\n--x--\r\n", "\u202e<b>".encode()])
async def test_any_bytes_can_be_sent(api: Api, content: bytes) -> None:
    response = await send(api, content)
    assert response.status_code == 200
    assert "<script>" not in response.text
    assert not re.search("[\x80-\x9f\u202e]", response.text)


async def test_nothing_is_kept_or_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    before = await rows(api)
    for content in (GOOD, BAD, CUT):
        await send(api, content, name="Sørgård.xml")
    assert await rows(api) == before
    assert "Sørgård" not in caplog.text
    assert "05073500186" not in caplog.text


async def test_the_page_is_norwegian_unless_english_is_asked_for(api: Api) -> None:
    client = await api.of(None)
    assert 'lang="nb"' in (await client.get("/validate")).text[:80]
    english = await client.get("/validate", headers={"Accept-Language": "en-GB,en;q=0.9,nb;q=0.8"})
    assert '<html lang="en">' in english.text
    assert english.headers["content-language"] == "en"
    assert '<html lang="nb">' in (await client.get("/validate?lang=nb", headers={"Accept-Language": "en"})).text
    assert "Accepted" in (await send(api, GOOD, **{"Accept-Language": "en"})).text


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "nb"), ("en", "en"), ("no", "nb"), ("nn-NO,en", "nb"), ("de,en-US;q=0.5", "en"), ("de", "nb"), ("*", "nb")],
)
def test_the_first_language_that_we_know_counts(accepted: str, language: str) -> None:
    assert language_of("", accepted) == language
    assert language_of("xx", accepted) == language


async def test_a_file_that_is_too_large_is_not_judged(api: Api) -> None:
    small = await send(api, b"<a>" + b" " * (LARGEST - 7) + b"</a>")
    assert small.status_code == 200
    large = await send(api, b"<a>" + b" " * (LARGEST - 6) + b"</a>")
    assert large.status_code == 413
    assert "inntil 2 MB" in words(page(large), "//p[@class='problem'][not(@hidden)]")
    assert (await send(api, b" " * 3 * LARGEST)).status_code == 413


async def test_a_form_without_a_file_is_asked_for_one(api: Api) -> None:
    client = await api.of(None)
    for response in (
        await client.post("/validate/page", files={"document": ("", b"", "application/octet-stream")}),
        await client.post("/validate/page", files={"other": ("a.xml", GOOD, "text/xml")}),
        await client.post("/validate/page", content=b"", headers={"Content-Type": "multipart/form-data"}),
    ):
        assert response.status_code == 400
        assert "Velg en fil" in words(page(response), "//p[@role='alert'][not(@hidden)]")
    assert (await client.post("/validate/page", content=GOOD, headers={"Content-Type": "text/xml"})).status_code == 415


async def test_a_long_source_is_shown_in_part_and_says_so(api: Api) -> None:
    content = b"<a>\n" + b"<b/>\n" * (MOST_LINES + 500) + b"<c></a>"
    tree = page(await send(api, content))
    assert len(tree.xpath("//details//tr")) == MOST_LINES
    assert f"Her vises de første {MOST_LINES}." in words(tree, "//details/p")
    assert tree.xpath(f"//tr[@id='L{MOST_LINES + 502}']")
    assert "linjer utelatt" in words(tree, "//tr[@class='gap']")
    one_line = page(await send(api, b"<a>" + b"x" * 100_000))
    assert len(one_line.text_content()) < 20_000
    assert "tegn til" in one_line.text_content()


async def test_many_at_once_wait_their_turn_or_are_asked_to_come_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate_page, "_PATIENCE", 0.01)
    api.app.state.page_turns = asyncio.Semaphore(0)
    response = await send(api, GOOD)
    assert response.status_code == 503
    assert "Prøv igjen" in words(page(response), "//p[@role='alert'][not(@hidden)]")
    api.app.state.page_turns.release()
    assert (await send(api, GOOD)).status_code == 200


def form(*parts: bytes, boundary: bytes = b"xYz") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


FILE = b'Content-Disposition: form-data; name="document"; filename="%s"\r\nContent-Type: text/xml\r\n\r\n%s'
TYPE = 'multipart/form-data; boundary="xYz"'


def test_a_file_is_found_in_a_form_byte_for_byte() -> None:
    content = b"\r\n\r\n--xY\x00\xff\r\n"
    other = b'Content-Disposition: form-data; name="note"\r\n\r\nhello'
    assert file_in(TYPE, form(other, FILE % ("Æ.xml".encode(), content)), "document") == content
    assert file_in(TYPE, b"preamble\r\n" + form(FILE % (b"a", b"")), "document") == b""


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (TYPE, b""),
        (TYPE, form()),
        (TYPE, form(FILE % (b"", b"x"))),
        (TYPE, form(FILE % (b"a", b"x"))[:-12]),
        (TYPE, form(*[b"a: b\r\n\r\n"] * 30, FILE % (b"a", b"x"))),
        (TYPE, form(b"a: " + b"b" * 9000 + b"\r\n" + FILE % (b"a", b"x"))),
        ("multipart/mixed; boundary=xYz", form(FILE % (b"a", b"x"))),
        ("multipart/form-data", form(FILE % (b"a", b"x"))),
        ("text/xml", b"<a/>"),
        ("\r\nx: y", b""),
    ],
)
def test_what_is_no_form_with_a_file_gives_none(content_type: str, body: bytes) -> None:
    assert file_in(content_type, body, "document") is None
