"""Every action of the console, done in a real browser as a person does it, and what follows seen on the page."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Download, Page
from walk.stage import ADMITTED, GIVE_UP_AFTER, NUMBER, TO_THE_GP, sent
from walk.walking import Walk, faults_of, picture, sign_in

from adapters.memory import Memory
from messaging.flow.deliver import RouteWorker
from messaging.spi import Deferred

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOTE = "Avtalt på telefon, sak 17"


async def act(page: Page, action: str, note: str = NOTE) -> None:
    """Open an action, read what follows, write a note, and do it."""
    form = page.locator(f"form[method=post][action*='{action}']").first
    details = page.locator("details.action", has=form)
    if await details.count():
        await details.locator("summary").first.click()
        assert await details.locator("p").first.is_visible(), "what follows is told before"
    await form.locator("textarea[name=note]").fill(note)
    await form.locator("button[type=submit]").click()


async def told(page: Page) -> str:
    """Read what the page says has been done."""
    assert not await page.locator("[role=alert].problem").count(), await page.locator(".problem").all_inner_texts()
    assert await faults_of(page) == []
    return await page.locator("[role=status]").first.inner_text()


async def downloaded(page: Page, selector: str) -> bytes:
    async with page.expect_download() as waiting:
        await page.click(selector)
    got: Download = await waiting.value
    return await asyncio.to_thread(Path(await got.path()).read_bytes)


@pytest.mark.parametrize(("which", "what"), [("given_up", "resend"), ("waiting", "close"), ("rejected", "handle")])
async def test_a_delivery_is_sent_again_closed_or_marked_with_a_note(walked: Walk, which: str, what: str) -> None:
    async with walked.of("kari") as page:
        await page.goto(f"/console/messages/{walked.ids[which]}")
        await act(page, f"/{what}")
        assert await told(page) != ""
        assert NOTE in await page.inner_text("ol.timeline")
        await picture(page, f"done {what}")


async def test_an_action_without_a_note_is_not_done_and_the_page_says_what_is_missing(walked: Walk) -> None:
    message_id = await sent(walked.api, ADMITTED)
    async with walked.of("kari") as page:
        await page.goto(f"/console/messages/{message_id}")
        await act(page, "/close", note="")
        assert await page.locator("textarea[name=note]:invalid").count() > 0
        await page.locator("form[action*='/close'] textarea").evaluate("field => field.required = false")
        await page.locator("form[action*='/close'] button").click()
        assert await page.locator("[role=alert]").first.inner_text() != ""
        await picture(page, "no note")


async def test_a_search_is_saved_found_again_and_removed(walked: Walk) -> None:
    async with walked.of("kari") as page:
        await page.goto("/console/messages?state=rejected")
        await page.fill("#search", "Avviste <b>nå</b>")
        await page.click("form.save button")
        link = page.locator("nav.saved a", has_text="Avviste <b>nå</b>")
        await page.goto("/console/messages")
        await link.click()
        assert "state=rejected" in page.url
        await picture(page, "a saved search")
        await page.click("nav.saved button")
        await page.goto("/console/messages")
        assert await link.count() == 0


async def test_a_route_is_parked_and_goes_on(walked: Walk) -> None:
    async with walked.of("kari") as page:
        await page.goto("/console/routes")
        await act(page, "/routes/far/park")
        assert await told(page) != ""
        assert NOTE in await page.inner_text("[data-part=routes]")
        await picture(page, "a parked route")
        await act(page, "/routes/far/resume")
        assert await told(page) != ""


async def test_what_was_given_up_is_sent_again_by_a_filter(walked: Walk) -> None:
    far = walked.api.world.exchange.adapters["far"]
    assert isinstance(far, Memory)
    await sent(walked.api, TO_THE_GP)
    for _ in range(GIVE_UP_AFTER):
        far.outcomes.extend([Deferred("no")] * 9)
        await RouteWorker(walked.api.world.exchange, "far", far, actor="worker:walk").work_once()
        walked.api.world.clock.forward(minutes=2)
    far.outcomes.clear()
    async with walked.of("kari") as page:
        await page.goto("/console/routes")
        await page.click("a[href='/console/routes-resend']")
        await page.select_option("#route", "far")
        await page.click("form.filters button")
        await picture(page, "given up")
        await act(page, "/routes-resend")
        assert re.search(r"\d", await told(page))


async def test_a_contact_is_changed_and_a_test_message_sent(walked: Walk) -> None:
    async with walked.of("nils") as page:
        await page.goto("/console/parties/8110001")
        form = page.locator("form[action='/console/parties/8110001/contact']")
        await page.locator("details.action", has=form).locator("summary").first.click()
        await form.locator("input[name=name]").fill("Vakthavende")
        await form.locator("button[type=submit]").click()
        assert "Vakthavende" in await page.inner_text("main")
    async with walked.of("kari") as page:
        await page.goto("/console/parties/8110001")
        await act(page, "/parties/8110001/trial")
        await page.wait_for_url("**/console/messages/*")
        assert await page.locator("h1").inner_text() == "DIALOG_HELSEFAGLIG"
        await picture(page, "a test message")


async def test_the_log_is_checked_and_given_as_a_file(walked: Walk) -> None:
    async with walked.of("alf") as page:
        await page.goto("/console/audit/seals")
        await page.click("form[action='/console/audit/verify'] button")
        assert await page.locator("main section").count() > 0
        assert await faults_of(page) == []
        await picture(page, "the log checked")
        assert b'"line"' in await downloaded(page, "form[action='/console/audit/export'] button")


async def test_lists_trails_and_proofs_come_as_files(walked: Walk) -> None:
    async with walked.of("kari") as page:
        await page.goto("/console/messages")
        assert (await downloaded(page, "a[href*='messages.csv']")).count(b"\n") > 3
        await page.goto(f"/console/messages/{walked.ids['rejected']}")
        trail = (await downloaded(page, "a[href$='trail.html']")).decode()
        assert walked.ids["rejected"] in trail
        assert "<script" not in trail
        await page.goto(f"/console/messages/{walked.ids['rejected']}/proof")
        await picture(page, "a proof")


async def test_a_document_is_shown_for_a_reason_and_a_patient_found_for_one(walked: Walk) -> None:
    async with walked.of("kari") as page:
        await page.goto(f"/console/messages/{walked.ids['answered']}")
        await page.fill("#reason", NOTE)
        await page.click("button[name=as][value=person]")
        assert NOTE in await told(page)
        await page.goto("/console/patient")
        await page.fill("#number", NUMBER)
        await page.fill("#reason", NOTE)
        await page.click("main form button.first")
        assert NUMBER not in page.url


async def test_who_signs_out_is_out_also_in_the_pages_that_are_left(walked: Walk) -> None:
    async with walked.of(None) as page:
        await sign_in(page, "ada")
        await page.click("form[action='/sign-out'] button")
        await page.goto("/console/messages")
        assert urlsplit(page.url).path == "/sign-in"


async def test_a_message_is_held_and_let_go(walked: Walk) -> None:
    async with walked.of("ada") as page:
        await page.goto(f"/console/messages/{walked.ids['answered']}")
        await act(page, "/hold")
        assert await told(page) != ""
        assert NOTE in await page.inner_text("[data-part=held]")
        await picture(page, "a held message")
        await act(page, "/release")
        assert await told(page) != ""
        assert await page.locator("[data-part=held]").count() == 0


async def test_an_alarm_is_taken_on_and_a_rule_made_changed_tried_and_deleted(walked: Walk) -> None:
    async with walked.of("kari") as page:
        await page.goto("/console/alarms")
        await act(page, "/acknowledge")
        assert await told(page) != ""
        assert NOTE in await page.inner_text("[data-part=open]")
        await page.locator("[data-part=new] summary").click()
        new = page.locator("[data-part=new] form")
        await new.locator("[name=about]").select_option("8110001")
        await new.locator("[name=kind]").select_option("uncollected")
        await new.locator("[name=mail_to]").fill("vakt@kommune.example")
        await picture(page, "a new rule")
        await new.locator("button").click()
        assert await told(page) != ""
        changed = page.locator("[data-part=change]").last
        await changed.locator("summary").click()
        await changed.locator("[name=at_least]").fill("47")
        await changed.locator("button.first").click()
        assert "47" in await page.inner_text("[data-part=rules]")
        await changed.locator("summary").click()
        await changed.locator("form[action$='/try'] button").click()
        assert await page.locator("[role=alert].problem").inner_text() != ""  # no mail server is set up
        await changed.locator("summary").click()
        await changed.locator("form[action$='/delete'] button").click()
        assert "47" not in await page.inner_text("[data-part=rules]")
        await picture(page, "alarms")


ACTIONS = {
    "/messages/saved": test_a_search_is_saved_found_again_and_removed,
    "/messages/saved/{search_id}/delete": test_a_search_is_saved_found_again_and_removed,
    "/messages/{message_id}/deliveries/{delivery_id}/{act}": (
        test_a_delivery_is_sent_again_closed_or_marked_with_a_note
    ),
    "/messages/{message_id}/hold": test_a_message_is_held_and_let_go,
    "/messages/{message_id}/holds/{hold_id}/release": test_a_message_is_held_and_let_go,
    "/messages/{message_id}/document": test_a_document_is_shown_for_a_reason_and_a_patient_found_for_one,
    "/patient": test_a_document_is_shown_for_a_reason_and_a_patient_found_for_one,
    "/parties/{number}/contact": test_a_contact_is_changed_and_a_test_message_sent,
    "/parties/{number}/trial": test_a_contact_is_changed_and_a_test_message_sent,
    "/routes/{name}/{act}": test_a_route_is_parked_and_goes_on,
    "/routes-resend": test_what_was_given_up_is_sent_again_by_a_filter,
    "/alarms/{alarm_id}/acknowledge": test_an_alarm_is_taken_on_and_a_rule_made_changed_tried_and_deleted,
    "/alarms/rules": test_an_alarm_is_taken_on_and_a_rule_made_changed_tried_and_deleted,
    "/alarms/rules/{rule_id}": test_an_alarm_is_taken_on_and_a_rule_made_changed_tried_and_deleted,
    "/alarms/rules/{rule_id}/try": test_an_alarm_is_taken_on_and_a_rule_made_changed_tried_and_deleted,
    "/alarms/rules/{rule_id}/delete": test_an_alarm_is_taken_on_and_a_rule_made_changed_tried_and_deleted,
    "/audit/verify": test_the_log_is_checked_and_given_as_a_file,
    "/audit/export": test_the_log_is_checked_and_given_as_a_file,
}
"""What each action is done by; test_whole.py knows whether one is missing."""
