"""The page of seals: heads and anchors, a check that tells in words what it did, and the log as a file."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browsers import Browser, browser, employ
from lxml import html
from sqlalchemy import text
from test_audit_page import write
from test_pages import sent

from doors import Api
from log_keeper import Keeper
from messaging.console.page import words_of
from messaging.flow.heads import AnchorState
from messaging.model.audit import AuditEvent
from messaging.model.seal import Verdict
from messaging.model.sight import EVERYTHING
from world import owning

SEALS, VERIFY, EXPORT = "/console/audit/seals", "/console/audit/verify", "/console/audit/export"
SCRIPT = Path(__file__).parents[2] / "deploy" / "verify_audit.py"


@pytest.fixture
async def sealed(api: Api) -> Api:
    """Somebody in each role, a message, and three seals over it all."""
    await employ(api)
    keeper = Keeper(api.world.exchange, api.world.clock)
    for _ in range(3):
        await sent(api)
        api.world.clock.forward(seconds=1)
        await keeper.seal()
    return api


async def verified(one: Browser, **fields: str) -> str:
    """Fill the form in, and read what the page says."""
    answer = await one.post(VERIFY, await one.form(SEALS, VERIFY) | {"thousands": "10"} | fields)
    assert answer.status_code == 200, answer.text
    return " ".join(html.document_fromstring(answer.text).xpath("//main")[0].text_content().split())


@pytest.mark.parametrize("language", ["nb", "en"])
def test_every_verdict_and_every_state_of_an_anchor_has_words(language: str) -> None:
    assert set(words_of(language)["verdicts"]) == set(Verdict)
    assert set(words_of(language)["anchor_states"]) == set(AnchorState)


async def test_the_newest_heads_are_told_with_their_lag_and_how_the_anchor_stands(sealed: Api) -> None:
    page = (await (await browser(sealed, "alf")).get(SEALS)).text
    for words in ("1.0 s", "i takt", "file ", "linjer venter på neste forsegling"):
        assert words in page, words
    sealed.world.clock.forward(seconds=11)
    assert "har ventet for lenge" in (await (await browser(sealed, "alf")).get(SEALS)).text


@pytest.mark.parametrize("name", ["kari", "alf", "ada"])
async def test_a_check_tells_in_words_what_was_checked_and_that_it_is_whole(sealed: Api, name: str) -> None:
    one = await browser(sealed, name)
    whole = await verified(one)
    for words in (
        "Alt som ble kontrollert, er slik det ble forseglet.",
        "under 3 forseglinger",
        "helt fra begynnelsen",
    ):
        assert words in whole, words
    part = await verified(one, since="1")
    for words in ("under 1 forseglinger, til og med forsegling 2", "er kontrollert fra forsegling 1 av"):
        assert words in part, words
    assert "Det er ingenting nyere" in await verified(one, since="2")


async def test_a_check_names_the_line_that_was_changed(sealed: Api) -> None:
    async with owning(sealed.world.exchange.database) as database, database.write(EVERYTHING) as tx:
        if tx.is_postgresql:
            await tx.connection.execute(text("SET LOCAL session_replication_role = 'replica'"))
        else:
            await tx.connection.execute(text("DROP TRIGGER audit_refuses_update"))
        await tx.connection.execute(text("UPDATE audit SET actor = '<b>' WHERE id = 2"))
    told = await verified(await browser(sealed, "alf"))
    assert "Noe stemmer ikke." in told
    assert "En linje sier ikke lenger det som ble forseglet (linje 2)" in told
    assert "er slik det ble forseglet." not in told


async def test_a_check_that_cannot_be_made_is_told(sealed: Api) -> None:
    alf = await browser(sealed, "alf")
    for since, words in (("x", "Skriv nummeret"), ("-1", "Skriv nummeret"), ("77", "Det er ingen forsegling med")):
        answer = await alf.post(VERIFY, {"since": since, "csrf": alf.csrf})
        assert (answer.status_code, words in answer.text) == (400, True), since
    assert (await alf.post(VERIFY, {"thousands": "1001", "csrf": alf.csrf})).status_code == 400


async def test_the_export_is_what_an_auditor_checks_elsewhere_and_leaves_a_line(sealed: Api, tmp_path: Path) -> None:
    alf = await browser(sealed, "alf")
    answer = await alf.post(EXPORT, await alf.form(SEALS, EXPORT))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit-log-20260309T120003Z.jsonl"'
    file = tmp_path / "log.jsonl"
    file.write_bytes(answer.content)
    assert json.loads(answer.content.partition(b"\n")[0])["until"] == 2
    key = sealed.world.exchange.audit_key
    assert key is not None
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(file), "--key", key.public.hex()]
    checking = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    await checking.communicate()
    assert checking.returncode == 0
    (line,) = await Keeper(sealed.world.exchange, sealed.world.clock).lines(AuditEvent.AUDIT_EXPORTED)
    assert (line["actor"], line["detail"]) == ("person:alf", {"until": 2})


async def test_a27_no_other_page_and_no_other_role_sees_seals_checks_or_takes_the_log_out(sealed: Api) -> None:
    nils, alf, nobody = await browser(sealed, "nils"), await browser(sealed, "alf"), await browser(sealed)
    assert (await nils.get(SEALS)).status_code == 403
    assert (await nobody.get(SEALS)).status_code == 303
    for path in (VERIFY, EXPORT):
        assert (await nils.post(path, {"csrf": nils.csrf, "since": ""})).status_code == 403
        assert (await alf.post(path, {"since": ""})).status_code == 403
        forged = await alf.post(path, {"since": "", "csrf": alf.csrf}, **{"Sec-Fetch-Site": "cross-site"})
        assert forged.status_code == 403
        assert (await nobody.post(path, {"since": "", "csrf": alf.csrf})).status_code == 401
        assert (await alf.http.get(path)).headers["Location"] == SEALS
    assert await Keeper(sealed.world.exchange, sealed.world.clock).lines(AuditEvent.AUDIT_EXPORTED) == []


async def test_a13_what_an_anchor_says_of_itself_is_text(sealed: Api) -> None:
    hostile = "<script>alert(1)</script>"

    class Listener:
        """An anchor that only listens, with a name that is markup."""

        name, readable = hostile, False

        async def last(self) -> None:
            """Tell nothing."""

    detail: dict[str, Any] = {"anchor": hostile, "why": hostile}
    await write(sealed, AuditEvent.ANCHOR_FAILED, detail=detail)
    sealed.app.state.exchange = replace(sealed.app.state.exchange, anchors=(Listener(),))
    page = (await (await browser(sealed, "alf")).get(SEALS)).text
    assert page.count("&lt;script&gt;alert(1)") == 2
    assert "<script>alert" not in page
