"""The list of messages: filters by fault code and version, what people save for themselves, and one patient's."""

from __future__ import annotations

import csv
import io
import re
from typing import Any
from uuid import UUID

import pytest
from browsers import Browser, browser, employ
from lxml import html
from sqlalchemy import select, update
from test_pages import ADMITTED, NURSING, listed, page, sent

from doors import Api
from messaging.flow import saved_searches
from messaging.model.access import Role
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING, Sight
from messaging.store import tables as t
from messaging.store.tables_of_people import saved_search

LIST, SAVED, PATIENT = "/console/messages", "/console/messages/saved", "/console/patient"
NUMBER, OTHER = "05073500186", "12057900499"
REASON = "Avvik 4711"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
async def staffed(api: Api) -> Api:
    await employ(api)
    return api


async def rejected(api: Api, code: str) -> str:
    """Send a message that its receiver rejects under a code."""
    message_id = await sent(api)
    said = {"appRecSenderHerId": NURSING, "appRecStatus": "Rejected", "appRecErrorList": [{"errorCode": code}]}
    said |= {"applicationName": "EPJ", "applicationVersion": "1"}
    answer = await (await api.of("kommune", "3")).post(f"/messages/{message_id}/apprec", json=said)
    assert answer.status_code == 202, answer.text
    return message_id


async def events(api: Api, event: str) -> list[dict[str, Any]]:
    async with api.world.exchange.database.read(EVERYTHING) as tx:
        query = select(t.audit).where(t.audit.c.event == event).order_by(t.audit.c.id)
        return [dict(row) for row in (await tx.execute(query)).mappings()]


async def test_messages_are_found_by_the_code_of_a_rejection_or_of_a_remark(api: Api) -> None:
    plain, refused, other = await sent(api), await rejected(api, "E36"), await rejected(api, "E21")
    remarked = await sent(api)
    async with api.world.exchange.database.write(EVERYTHING) as tx:
        remarks = [{"code": "stay-id", "text": "x"}, {"code": "E36", "text": "x"}]
        await tx.connection.execute(update(t.message).where(t.message.c.id == UUID(remarked)).values(warnings=remarks))
    for client in ("operator", "kommune"):
        assert set(await listed(api, f"{LIST}?fault=E36", client)) == {refused, remarked}
        assert await listed(api, f"{LIST}?fault=E21&party={NURSING}", client) == [other]
        assert await listed(api, f"{LIST}?fault=stay-id", client) == [remarked]
        assert await listed(api, f"{LIST}?fault=E3", client) == []
    assert await listed(api, f"{LIST}?fault=E36", "lege") == []
    assert plain in await listed(api, LIST)


async def test_messages_are_found_by_version(api: Api) -> None:
    message_id = await sent(api)
    assert await listed(api, f"{LIST}?version=1.6") == [message_id]
    assert await listed(api, f"{LIST}?version=1.5") == []


async def test_the_file_for_a_spreadsheet_follows_the_filters(api: Api) -> None:
    await sent(api)
    refused = await rejected(api, "E36")
    shown = await page(api, f"{LIST}?fault=E36&version=1.6&state=rejected")
    (address,) = re.findall(r'href="(/console/messages.csv[^"]*)"', shown)
    answer = await (await api.of("operator")).get(address.replace("&amp;", "&"))
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["id"], row["version"]) for row in rows] == [(refused, "1.6")]


@pytest.mark.parametrize("path", [LIST, f"{LIST}.csv"])
async def test_a_patients_number_is_taken_out_of_the_address(api: Api, path: str) -> None:
    answer = await (await api.of("operator")).get(f"{path}?id={NUMBER}&type=LOG_INNLAGT")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{LIST}?type=LOG_INNLAGT&refused=number")
    assert await events(api, "messages.searched") == []
    told = await page(api, answer.headers["Location"])
    assert "skal ikke stå i adressefeltet" in told
    assert NUMBER not in told


# Saved searches


async def save(one: Browser, name: str, query: str = "type=LOG_INNLAGT&overdue=true") -> Any:
    return await one.post(SAVED, await one.form(f"{LIST}?{query}", SAVED) | {"search": name})


def links(text: str) -> dict[str, str]:
    found = html.document_fromstring(text).xpath("//nav[@class='saved']//li/a")
    return {link.text_content(): link.get("href") for link in found}


@pytest.mark.parametrize("name", ["kari", "alf", "ada", "nils"])
async def test_a_search_is_saved_opened_and_deleted_by_whoever_has_signed_in(staffed: Api, name: str) -> None:
    message_id = await sent(staffed)
    one = await browser(staffed, name)
    query = f"type=LOG_INNLAGT&party={NURSING}&state=waiting&from=2026-03-09T12%3A00"
    answer = await save(one, "  Venter i  Solvik ", query)
    assert answer.status_code == 303
    shown = (await one.get(answer.headers["Location"])).text
    assert "Søket er lagret. Bare du ser det." in shown
    assert message_id in shown
    opened = links((await one.get(LIST)).text)["Venter i Solvik"]
    assert message_id in (await one.get(opened)).text
    assert f'value="{NURSING}"' in (await one.get(opened)).text
    (path,) = re.findall(rf'action="({SAVED}/[^"]+/delete)"', shown)
    answer = await one.post(path, {"csrf": one.csrf})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{LIST}?done=deleted")
    assert links((await one.get(LIST)).text) == {}
    assert (await one.post(path, {"csrf": one.csrf})).status_code == 404


async def test_a_search_that_is_saved_again_under_its_name_takes_its_place(staffed: Api) -> None:
    kari = await browser(staffed, "kari")
    await save(kari, "Forsinket")
    await save(kari, "Forsinket", "overdue=true")
    assert links((await kari.get(LIST)).text) == {"Forsinket": f"{LIST}?overdue=True"}


@pytest.mark.parametrize(
    ("name", "query"),
    [("", "overdue=true"), ("x" * 81, "overdue=true"), (f"Kari {NUMBER}", "overdue=true"), ("Alle", "type=&state=")],
)
async def test_a_search_without_a_name_or_filters_or_with_a_patients_number_is_not_saved(
    staffed: Api, name: str, query: str
) -> None:
    kari = await browser(staffed, "kari")
    fields = dict(pair.split("=") for pair in query.split("&"))
    answer = await kari.post(SAVED, {"csrf": kari.csrf, "search": name} | fields)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert NUMBER not in answer.text
    assert links((await kari.get(LIST)).text) == {}
    with_number = await kari.post(SAVED, {"csrf": kari.csrf, "search": "Kari", "id": NUMBER})
    assert with_number.headers["Location"] == f"{LIST}?refused=number"


async def test_nobody_sees_or_deletes_somebody_elses_searches_whatever_the_role(staffed: Api) -> None:
    kari, ada = await browser(staffed, "kari"), await browser(staffed, "ada")
    await save(kari, "Karis eget")
    assert "Karis eget" not in (await ada.get(LIST)).text
    async with staffed.world.exchange.database.read(EVERYTHING) as tx:
        search_id = await tx.scalar(select(saved_search.c.id))
    assert (await ada.post(f"{SAVED}/{search_id}/delete", {"csrf": ada.csrf})).status_code == 404
    assert list(links((await kari.get(LIST)).text)) == ["Karis eget"]
    if not staffed.world.exchange.database.is_sqlite:
        async with staffed.world.exchange.database.read(Sight(client_id="person:ada")) as tx:
            assert (await tx.execute(select(saved_search))).all() == [], "the wall of the database holds too"


async def test_nobody_saves_without_end(staffed: Api) -> None:
    kari = Client("person:kari", "Kari", Role.OPERATOR)
    for number in range(saved_searches.MOST):
        await saved_searches.save(staffed.world.exchange, kari, f"{number}", {"overdue": True})
    one = await browser(staffed, "kari")
    assert (await save(one, "en til")).status_code == 400
    assert (await save(one, "7")).status_code == 303, "in place of the one that has the name"


async def test_a27_no_other_page_and_no_system_saves_or_deletes(staffed: Api) -> None:
    kari = await browser(staffed, "kari")
    fields = {"search": "x", "overdue": "true"}
    assert (await kari.post(SAVED, fields)).status_code == 403
    forged = await kari.post(SAVED, fields | {"csrf": kari.csrf}, **{"Sec-Fetch-Site": "cross-site"})
    assert forged.status_code == 403
    assert (await (await browser(staffed)).post(SAVED, fields | {"csrf": kari.csrf})).status_code == 401
    await save(kari, "Forsinket")
    (path,) = re.findall(rf'action="({SAVED}/[^"]+/delete)"', (await kari.get(LIST)).text)
    assert (await kari.post(path, {"csrf": ""})).status_code == 403
    assert list(links((await kari.get(LIST)).text)) == ["Forsinket"]
    assert SAVED not in await page(staffed, f"{LIST}?overdue=true"), "a system has no searches of its own"


async def test_a13_what_is_saved_is_text(staffed: Api) -> None:
    kari = await browser(staffed, "kari")
    answer = await kari.post(SAVED, {"csrf": kari.csrf, "search": HOSTILE, "type": HOSTILE, "fault": HOSTILE[:60]})
    assert answer.status_code == 303
    shown = (await kari.get(answer.headers["Location"])).text
    assert not html.document_fromstring(shown).xpath("//img | //script[not(@src)] | //*[@onerror]")
    assert list(links(shown)) == [HOSTILE]


# One patient's messages


async def looked_for(one: Browser, number: str = NUMBER, reason: str = REASON) -> Any:
    return await one.post(PATIENT, await one.form(PATIENT, PATIENT) | {"number": number, "reason": reason})


@pytest.mark.parametrize("name", ["kari", "ada"])
async def test_a_patients_messages_are_found_for_a_reason_that_is_kept_and_the_number_is_not(
    staffed: Api, name: str
) -> None:
    message_id = await sent(staffed)
    one = await browser(staffed, name)
    assert f'href="{PATIENT}"' in (await one.get(LIST)).text
    found = await looked_for(one, f" {NUMBER[:6]} {NUMBER[6:]} ")
    assert found.status_code == 200
    assert message_id in found.text
    assert "Meldinger om pasienten: 1" in found.text
    assert found.headers["Cache-Control"] == "no-store"
    assert NUMBER not in found.text
    assert NUMBER not in str(found.request.url)
    (line,) = await events(staffed, "patient.searched")
    assert (line["actor"], line["message_id"]) == (f"person:{name}", None)
    assert line["detail"] == {"door": "console", "role": line["detail"]["role"], "reason": REASON, "found": 1}
    assert NUMBER.encode() in ADMITTED, "the document names the patient"
    nobody = await looked_for(one, OTHER)
    assert "Ingen meldinger er om denne pasienten." in nobody.text


@pytest.mark.parametrize(
    ("number", "reason"),
    [(NUMBER, ""), (NUMBER, f"gjelder {NUMBER}"), ("123", REASON), ("", REASON), (f"{NUMBER}1", REASON)],
)
async def test_without_a_reason_or_a_number_nothing_is_searched_for(staffed: Api, number: str, reason: str) -> None:
    kari = await browser(staffed, "kari")
    answer = await looked_for(kari, number, reason)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert NUMBER not in answer.text
    assert await events(staffed, "patient.searched") == []


async def test_that_older_messages_were_not_looked_into_is_told(staffed: Api) -> None:
    message_id = await sent(staffed)
    async with staffed.world.exchange.database.write(EVERYTHING) as tx:
        await tx.connection.execute(
            update(t.message).where(t.message.c.id == UUID(message_id)).values(patient_hash=None)
        )
    told = (await looked_for(await browser(staffed, "kari"))).text
    assert "1 eldre meldinger er ikke sett etter i" in told
    assert "samhandling patient index" in told


async def test_a27_no_other_page_and_no_other_role_looks_for_a_patient(staffed: Api) -> None:
    await sent(staffed)
    asked = {"number": NUMBER, "reason": REASON}
    for name in ("alf", "nils"):
        one = await browser(staffed, name)
        assert PATIENT not in (await one.get(LIST)).text
        assert (await one.get(PATIENT)).status_code == 403
        assert (await one.post(PATIENT, asked | {"csrf": one.csrf})).status_code == 403, name
    kari, nobody = await browser(staffed, "kari"), await browser(staffed)
    assert (await kari.post(PATIENT, asked)).status_code == 403
    forged = await kari.post(PATIENT, asked | {"csrf": kari.csrf}, **{"Sec-Fetch-Site": "cross-site"})
    assert forged.status_code == 403
    assert (await nobody.post(PATIENT, asked | {"csrf": kari.csrf})).status_code == 401
    assert (await nobody.get(PATIENT)).status_code == 303
    assert await events(staffed, "patient.searched") == []


async def test_a13_markup_in_what_is_found_about_a_patient_is_text(staffed: Api) -> None:
    here = t.message.c.id == UUID(await sent(staffed))
    async with staffed.world.exchange.database.write(EVERYTHING) as tx:
        values = {"msg_id": HOSTILE, "type": HOSTILE[:60]}
        await tx.connection.execute(update(t.message).where(here).values(**values))
    one = await browser(staffed, "kari")
    for found in (await looked_for(one, reason=HOSTILE), await looked_for(one, number="1", reason=HOSTILE)):
        assert not html.document_fromstring(found.text).xpath("//img | //script[not(@src)] | //*[@onerror]")
        assert "&lt;script&gt;alert(1)" in found.text
