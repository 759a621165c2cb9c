"""Legal holds on a message's page: placed and let go by administrators, seen by who oversees, and kept in the log."""

from __future__ import annotations

import pytest
from browsers import browser, employ
from sqlalchemy import select
from test_pages import sent

from doors import Api
from messaging.flow.retain import place_hold
from messaging.model.access import Role
from messaging.model.party import Client
from messaging.model.retention import HoldScope
from messaging.model.sight import EVERYTHING
from messaging.store import retention
from messaging.store import tables as t

NOTE = "Klage hos statsforvalteren, sak 2026/17"
NURSING = 8110001


@pytest.fixture
async def staffed(api: Api) -> Api:
    await employ(api)
    return api


async def test_a_message_is_held_until_it_is_let_go_and_both_are_told_with_who_and_why(staffed: Api) -> None:
    path = f"/console/messages/{await sent(staffed)}"
    ada = await browser(staffed, "ada")
    fields = await ada.form(path, f"{path}/hold") | {"note": NOTE, "review": "2026-09-01"}
    answer = await ada.post(f"{path}/hold", fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{path}?done=hold")
    (hold,) = await held(staffed)
    assert (hold["reason"], hold["placed_by"]) == (NOTE, "person:ada")
    for name in ("ada", "kari", "alf"):
        page = (await (await browser(staffed, name)).get(path)).text
        assert NOTE in page
        assert ("/release" in page) is (name == "ada")
    release = f"{path}/holds/{hold['id']}/release"
    answer = await ada.post(release, await ada.form(path, release) | {"note": NOTE})
    assert answer.headers["Location"] == f"{path}?done=release"
    assert await held(staffed) == []
    again = await ada.post(release, fields)
    assert (again.status_code, "sluppet alt" in again.text) == (400, True)
    async with staffed.world.exchange.database.read(EVERYTHING) as tx:
        query = select(t.audit.c.event).where(t.audit.c.event.like("retention.hold_%")).order_by(t.audit.c.id)
        assert list(await tx.scalars(query)) == ["retention.hold_placed", "retention.hold_released"]


async def held(api: Api) -> list[t.Row]:
    async with api.world.exchange.database.read(EVERYTHING) as tx:
        return await retention.holds(tx)


@pytest.mark.parametrize(
    "wrong", [{"note": ""}, {"note": "gjelder 05073500186"}, {"review": ""}, {"review": "2026-03-08"}, {"review": "x"}]
)
async def test_without_a_reason_or_a_day_to_come_nothing_is_held(staffed: Api, wrong: dict[str, str]) -> None:
    path = f"/console/messages/{await sent(staffed)}"
    ada = await browser(staffed, "ada")
    fields = await ada.form(path, f"{path}/hold") | {"note": NOTE, "review": "2026-09-01"}
    answer = await ada.post(f"{path}/hold", fields | wrong)
    assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)
    assert await held(staffed) == []


@pytest.mark.parametrize("name", ["kari", "alf", "nils"])
async def test_only_administrators_hold_and_let_go(staffed: Api, name: str) -> None:
    path = f"/console/messages/{await sent(staffed)}"
    admin, clock = Client("admin", "admin", Role.ADMIN), staffed.world.clock
    clock.forward(days=1)
    review = clock.now.replace(year=2027)
    hold = await place_hold(staffed.world.exchange, admin, HoldScope.PARTY, str(NURSING), reason=NOTE, review_at=review)
    person = await browser(staffed, name)
    page = (await person.get(path)).text
    assert (NOTE in page) is (name != "nils")
    assert f"{path}/hold" not in page
    fields = await person.form("/console", "/sign-out") | {"note": NOTE, "review": "2026-09-01"}
    for action in (f"{path}/hold", f"{path}/holds/{hold}/release"):
        assert (await person.post(action, fields)).status_code == 403
    assert [one["id"] for one in await held(staffed)] == [hold]
