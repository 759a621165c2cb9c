"""The page of alarms: what stands, who was told, the rules, and what each person may do with them."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import pytest
from browsers import Browser, browser, employ
from test_pages import NURSING

from doors import Api
from messaging.console import alarms as alarms_page
from messaging.model.alarm import About, Alarm, AlarmRule, Telling
from messaging.model.sight import EVERYTHING
from messaging.store import alarms

PAGE, RULES = "/console/alarms", "/console/alarms/rules"
WARD = 8100001
WHOLE, OF_NURSING, OF_WARD = UUID(int=101), UUID(int=102), UUID(int=103)
NOTE = "Ringer vakthavende"


@pytest.fixture
async def staffed(api: Api) -> Api:
    """Somebody in each role, and an alarm about everything, about the nurses and about the ward."""
    await employ(api)
    now = api.world.clock()
    async with api.world.exchange.database.write(EVERYTHING) as tx:
        for rule in await alarms.rules(tx.reader):
            await alarms.remove(tx, rule.id)
        for number, her_id in ((WHOLE, None), (OF_NURSING, NURSING), (OF_WARD, WARD)):
            await alarms.keep(tx, AlarmRule(number, her_id, "given_up", mail_to=(f"{number.int}@vakt.example",)))
            new = Alarm(number, number, her_id, "given_up", now, 4700 + number.int, now, told_at=now)
            await alarms.open_one(tx, new)
            told = Telling(uuid4(), number, "mail", f"{number.int}@vakt.example", About.RAISED, now)
            await alarms.tell(tx, her_id, [told])
            await alarms.ended(tx, told.id, at=now, error="<b>it answered 500</b>" if her_id is None else "")
    return api


async def rules(api: Api) -> dict[UUID, AlarmRule]:
    async with api.world.exchange.database.read(EVERYTHING) as tx:
        return {one.id: one for one in await alarms.rules(tx)}


async def posted(person: Browser, action: str, **fields: str) -> int:
    answer = await person.post(action, await person.form(PAGE, action) | fields)
    return answer.status_code


async def test_an_alarm_shows_how_much_since_when_who_was_told_and_whether_it_arrived(staffed: Api) -> None:
    page = (await (await browser(staffed, "kari")).get(PAGE)).text
    for words in ("4801", "4802", "4803", "fikk vite det", "nådde ikke fram", "&lt;b&gt;it answered 500", "Ingen ennå"):
        assert words in page, words
    assert 'href="/console/messages?state=failed&amp;party=8110001"' in page


async def test_people_of_a_party_see_and_steer_its_own_and_nothing_of_others(staffed: Api) -> None:
    nils = await browser(staffed, "nils")
    page = (await nils.get(PAGE)).text
    assert "4802" in page
    for foreign in ("4801", "4803", "101@vakt.example", "103@vakt.example", str(WHOLE), str(OF_WARD)):
        assert foreign not in page, foreign
    assert await posted(nils, f"{PAGE}/{OF_NURSING}/acknowledge", note=NOTE) == 303
    fields = await nils.form(PAGE, RULES)
    for number in (WHOLE, OF_WARD):
        assert (await nils.post(f"{PAGE}/{number}/acknowledge", fields | {"note": NOTE})).status_code == 404
        assert (await nils.post(f"{RULES}/{number}/delete", fields)).status_code == 404
        assert (await nils.post(f"{RULES}/{number}/try", fields)).status_code == 404
        asked = {"about": str(NURSING), "kind": "rejected"}
        assert (await nils.post(f"{RULES}/{number}", fields | asked)).status_code == 404
    assert (await nils.post(RULES, fields | {"about": "", "kind": "rejected"})).status_code == 403
    assert set(await rules(staffed)) == {WHOLE, OF_NURSING, OF_WARD}


async def test_an_auditor_sees_all_and_steers_nothing(staffed: Api) -> None:
    alf = await browser(staffed, "alf")
    page = (await alf.get(PAGE)).text
    assert "4801" in page
    assert not re.search(r'action="/console/alarms', page)


async def test_an_alarm_that_is_taken_on_shows_by_whom_and_why(staffed: Api) -> None:
    kari = await browser(staffed, "kari")
    action = f"{PAGE}/{WHOLE}/acknowledge"
    assert await posted(kari, action, note="") == 400
    assert await posted(kari, action, note="gjelder 050735 00186") == 400
    assert await posted(kari, action, note=NOTE) == 303
    page = (await kari.get(PAGE)).text
    assert NOTE in page
    assert "person:kari" in page
    assert action not in page


async def test_a_rule_is_made_changed_and_deleted_and_what_cannot_be_used_is_told_and_not_kept(staffed: Api) -> None:
    kari = await browser(staffed, "kari")
    made = {"about": str(WARD), "kind": "uncollected", "after_minutes": "90", "at_least": "3", "again_hours": "0.5"}
    made |= {"mail_to": "a@vakt.example; b@vakt.example", "quiet_from": "22:00", "quiet_to": "07:00", "is_on": "true"}
    assert await posted(kari, RULES, **made) == 303
    (new,) = set(await rules(staffed)) - {WHOLE, OF_NURSING, OF_WARD}
    kept = (await rules(staffed))[new]
    assert (kept.her_id, kept.kind, kept.after.seconds, kept.at_least, kept.again.seconds) == (
        WARD,
        "uncollected",
        5400,
        3,
        1800,
    )
    assert kept.mail_to == ("a@vakt.example", "b@vakt.example")
    page = (await kari.get(PAGE)).text
    for words in ("1 t 30 min", "22:00", "07:00", "b@vakt.example"):
        assert words in page, words
    for wrong in ({"quiet_to": ""}, {"kind": "unsealed"}, {"mail_to": "ingen"}, {"at_least": "x"}, {"webhook": "no"}):
        answer = await kari.post(RULES, await kari.form(PAGE, RULES) | made | wrong)
        assert answer.status_code == 400, wrong
        assert "Regelen kan ikke brukes" in answer.text
    change = f"{RULES}/{new}"
    assert await posted(kari, change, **made | {"at_least": "5", "is_on": ""}) == 303
    assert ((await rules(staffed))[new].at_least, (await rules(staffed))[new].is_on) == (5, False)
    assert await posted(kari, f"{change}/delete") == 303
    assert new not in await rules(staffed)


async def test_with_many_parties_one_is_named_by_its_number(staffed: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    kari = await browser(staffed, "kari")
    assert '<option value="8100001"' in (await kari.get(PAGE)).text
    monkeypatch.setattr(alarms_page, "_MOST_CHOICES", 2)
    page = (await kari.get(PAGE)).text
    assert '<option value="8100001"' not in page
    assert "tomt for hele sentralen" in page


async def test_a_trial_that_reaches_nobody_is_told(staffed: Api) -> None:
    kari = await browser(staffed, "kari")
    answer = await kari.post(f"{RULES}/{WHOLE}/try", await kari.form(PAGE, RULES))
    assert answer.status_code == 400
    assert "Regelen når ingen" in answer.text


async def test_the_history_goes_on_page_by_page(staffed: Api) -> None:
    now = staffed.world.clock()
    async with staffed.world.exchange.database.write(EVERYTHING) as tx:
        for number in range(60):
            over = Alarm(uuid4(), WHOLE, None, "parked", now, 9000 + number, None, told_at=now, cleared_at=now)
            await alarms.open_one(tx, over)
    kari = await browser(staffed, "kari")
    page = (await kari.get(PAGE)).text
    (older,) = re.findall(r'href="(/console/alarms\?cursor=[^"]+)"', page)
    second = (await kari.get(older)).text
    seen = [set(re.findall(r">(90\d\d)<", text)) for text in (page, second)]
    assert (len(seen[0]), len(seen[1]), seen[0] & seen[1]) == (50, 10, set())
