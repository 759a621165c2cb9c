"""Every page in a real browser, in both themes and two widths: nothing is wrong on it, or cannot be used."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from walk.conftest import TOLD
from walk.stage import HOSTILE, NUMBER
from walk.walking import NARROW, WIDE, Walk, faults_of, picture

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEEN: dict[str, list[str]] = {
    "": [""],
    "/messages": ["", "?state=rejected", "?id=nothing-has-this-id"],
    "/messages/{message_id}": ["answered", "rejected", "given_up", "retried", "waiting", "hostile"],
    "/messages/{message_id}/proof": ["answered"],
    "/conversations/{any_id}": ["waiting", "hostile"],
    "/patient": [""],
    "/parties": [""],
    "/parties/{number}": ["8110001"],
    "/routes": [""],
    "/routes-resend": [""],
    "/alarms": [""],
    "/audit": [""],
    "/audit/readings": [""],
    "/audit/seals": [""],
}
"""The pages, each with what it is asked for."""
BESIDE = ["/sign-in", "/validate"]
LOOKS = [("light", WIDE), ("dark", WIDE), ("light", NARROW), ("dark", NARROW)]


def addresses(ids: dict[str, str]) -> Iterator[str]:
    for path, asked in SEEN.items():
        for one in asked:
            yield "/console" + (re.sub(r"{\w+}", ids.get(one, one), path) if "{" in path else path + one)


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
async def test_every_page_can_be_read_by_everybody_in_every_look(walked: Walk, scheme: str, width: int) -> None:
    faults = []
    async with walked.of("kari", scheme=scheme, width=width) as page:
        for address in addresses(walked.ids):
            answer = await page.goto(address)
            assert answer is not None
            assert answer.status == 200, address
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{address} is too wide"
            faults += await faults_of(page)
            name = address.removeprefix("/console")
            for known, message_id in walked.ids.items():
                name = name.replace(message_id, known)
            await picture(page, f"{name or 'overview'} {scheme} {width}")
    async with walked.of(None, scheme=scheme, width=width) as page:
        for address in BESIDE:
            await page.goto(address)
            faults += await faults_of(page)
            await picture(page, f"{address} {scheme} {width}")
    assert faults == []


@pytest.mark.parametrize("name", ["sara", "nils", "alf", "ada"])
async def test_each_role_meets_nothing_wrong_on_the_pages_that_it_is_led_to(walked: Walk, name: str) -> None:
    async with walked.of(name) as page:
        await page.goto("/console")
        led_to = await page.eval_on_selector_all("nav.pages a", "links => links.map(link => link.pathname)")
        assert "/console/messages" in led_to
        assert ("/console/routes" in led_to) is (name in ("alf", "ada"))
        for address in led_to:
            answer = await page.goto(address)
            assert answer is not None
            assert answer.status == 200, address
            assert await faults_of(page) == []
            await picture(page, f"{name} {address}")


async def test_the_pages_work_without_scripts(walked: Walk) -> None:
    async with walked.of("kari", scripts=False) as page:
        await page.goto("/console")
        await page.click("nav.pages a[href='/console/messages']")
        await page.select_option("#state", "rejected")
        await page.click("form.filters button")
        assert "state=rejected" in page.url
        await page.click("tbody tr a >> nth=0")
        assert await page.locator("ol.timeline li").count() >= 3
        await page.goto("/console?lang=en")
        assert await page.get_attribute("html", "lang") == "en"


async def test_the_keys_lead_where_they_say(walked: Walk) -> None:
    async with walked.of("kari") as page:
        await page.goto("/console")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.getAttribute('href')") == "#content"
        assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        await page.keyboard.press("g")
        await page.keyboard.press("m")
        await page.wait_for_url("**/console/messages")
        await page.keyboard.press("/")
        assert await page.evaluate("document.activeElement.hasAttribute('data-search')")
        await page.keyboard.type("gjk")
        assert await page.input_value("#id") == "gjk"
        await page.evaluate("document.activeElement.blur()")
        rows = await page.eval_on_selector_all(
            "tbody tr[data-href]", "rows => rows.map(row => row.querySelector('a').getAttribute('href'))"
        )
        for key, index in (("j", 0), ("j", 1), ("k", 0)):
            await page.keyboard.press(key)
            assert await page.evaluate("document.activeElement.getAttribute('href')") == rows[index]
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**{rows[0]}")
        await page.keyboard.press("g")
        await page.keyboard.press("o")
        await page.wait_for_url("**/console")


async def test_a13_nothing_that_a_document_or_its_answer_says_ever_runs(walked: Walk) -> None:
    places = [
        "/messages/{hostile}",
        "/conversations/{hostile}",
        "/messages/{given_up}",
        "/routes",
        "/audit?id={given_up}",
    ]
    places += ["/messages", "/audit/readings"]
    async with walked.of("kari") as page:
        seen = 0
        for place in places:
            await page.goto("/console" + place.format(**walked.ids))
            assert await page.locator("img[src='x']").count() == 0
            seen += HOSTILE in await page.inner_text("body")
        assert seen >= 3, "it is there, as text"
        for as_what in ("person", "xml"):
            await page.goto(f"/console/messages/{walked.ids['hostile']}")
            await page.fill("#reason", HOSTILE)
            await page.click(f"button[name=as][value={as_what}]")
            assert HOSTILE in await page.inner_text("body")
            assert await page.locator("img[src='x']").count() == 0
            assert await faults_of(page) == []
            await picture(page, f"document as {as_what}")


QUESTIONS = ["is anything stuck?", "what happened to this message, and can I prove it?", "who does not answer?"]


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_of_the_field_takes_three_clicks_at_most(
    walked: Walk, question: str, record_property: Any
) -> None:
    async with walked.of("kari") as page:
        clicks, begun = 0, time.perf_counter()

        async def click(selector: str) -> None:
            nonlocal clicks
            clicks += 1
            await page.click(selector)

        await page.goto("/console")
        match QUESTIONS.index(question):
            case 0:
                await click("a[href*='overdue=true']")
                assert await page.locator("tbody tr[data-href]").count() > 0
            case 1:
                await click("nav.pages a[href='/console/messages']")
                await page.fill("#id", walked.ids["rejected"])
                await page.keyboard.press("Enter")
                await page.wait_for_url("**id=**")
                await click(f"a[href='/console/messages/{walked.ids['rejected']}']")
                assert await page.locator("ol.timeline li").count() >= 3
                await click("a[href$='/proof']")
                assert await page.locator("main").inner_text() != ""
            case _:
                await click("nav.pages a[href='/console/parties']")
                await click("tbody tr a >> nth=0")
                assert "/console/parties/" in page.url
        took = time.perf_counter() - begun
    assert clicks <= 3
    record_property(TOLD, f"{question} {clicks} clicks, {took:.1f} s")


async def test_a_patient_is_found_by_number_with_a_reason_and_the_number_stands_in_no_address(walked: Walk) -> None:
    async with walked.of("kari") as page:
        await page.goto("/console/patient")
        await page.fill("#number", NUMBER)
        await page.fill("#reason", "Avvik 17")
        await page.click("main form button.first")
        assert NUMBER not in page.url
        assert await faults_of(page) == []
        await picture(page, "patient found")
    assert not any(NUMBER in path for _, path in walked.asked)
