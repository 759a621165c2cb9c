"""The page of routes: what it tells, and that it parks, resumes and resends what it showed, for those who may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from browsers import browser, employ
from sqlalchemy import select, update
from test_pages import sent

from adapters.memory import KIND
from doors import Api, application, forget
from messaging.model.sight import EVERYTHING
from messaging.registry import Registry
from messaging.settings import RouteSetting, Settings
from messaging.store import routes
from messaging.store import tables as t
from world import SetClock, world

NURSING = 8110001
NOTE = "Kommunen flytter serverne sine"
PARK, RESUME = "/console/routes/far/park", "/console/routes/far/resume"
RESEND = "/console/routes-resend"


@pytest.fixture
async def staffed(settings: Settings, clock: SetClock) -> AsyncIterator[Api]:
    """The application over an exchange with one route, `far`, and somebody in each role."""
    routed = {
        "adapters": {"far": {"kind": "memory", "her_ids": [NURSING]}},
        "routes": (RouteSetting(her_id=NURSING, to="far"),),
    }
    async with world(settings.model_copy(update=routed), clock, registry=Registry.of(KIND)) as opened:
        app = application(opened)
        async with AsyncExitStack() as stack:
            api = Api(opened, app, stack)
            await employ(api)
            yield api
        forget(app)


async def changed(api: Api, **columns: Any) -> None:
    async with api.world.exchange.database.write(EVERYTHING) as tx:
        await routes.hold(tx, "far")
        await routes.change(tx, "far", **columns)


async def states(api: Api) -> list[str]:
    async with api.world.exchange.database.read(EVERYTHING) as tx:
        return list(await tx.scalars(select(t.delivery.c.state).order_by(t.delivery.c.created_at)))


async def test_a_route_is_parked_and_let_go_with_what_follows_told_before_and_the_note_shown(staffed: Api) -> None:
    await sent(staffed)
    kari = await browser(staffed, "kari")
    assert "1 i kø blir liggende" in (await kari.get("/console/routes")).text
    fields = await kari.form("/console/routes", PARK) | {"note": NOTE}
    answer = await kari.post(PARK, fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/routes?done=park")
    page = (await kari.get(answer.headers["Location"])).text
    for words in ("Ruten er parkert.", "parkert</span>", NOTE, "person:kari"):
        assert words in page, words
    again = await kari.post(PARK, fields)
    assert again.status_code == 400
    assert "har endret seg" in again.text
    answer = await kari.post(RESUME, await kari.form("/console/routes", RESUME) | {"note": NOTE})
    assert answer.status_code == 303
    assert NOTE not in (await kari.get("/console/routes")).text


@pytest.mark.parametrize(
    ("failures", "ahead", "words"),
    [(0, None, "går</span>"), (1, None, "sviktet</span>"), (5, 30, "hviler etter feil</span>"), (5, -1, "halvåpen")],
)
async def test_the_page_tells_how_the_circuit_stands_and_what_failed_last(
    staffed: Api, failures: int, ahead: int | None, words: str
) -> None:
    now = staffed.world.clock()
    rests = now + timedelta(seconds=ahead) if ahead is not None else None
    await changed(staffed, failures=failures, rests_until=rests, last_error="no <b>route</b>", last_error_at=now)
    page = (await (await browser(staffed, "alf")).get("/console/routes")).text
    assert words in page
    assert "no &lt;b&gt;route&lt;/b&gt;" in page


async def test_a_list_of_one_state_is_an_address_and_leads_back_to_all(staffed: Api) -> None:
    kari = await browser(staffed, "kari")
    assert "far</th>" not in (await kari.get("/console/routes?state=parked")).text
    await changed(staffed, parked_at=staffed.world.clock(), parked_by="person:kari", parked_note=NOTE)
    page = (await kari.get("/console/routes?state=parked")).text
    assert "far</th>" in page
    assert 'href="/console/routes">Vis alle' in page


@pytest.mark.parametrize("note", ["", " ", "x" * 501, "Gjelder 05073500186"])
async def test_nothing_is_parked_without_a_note_or_with_one_that_names_a_patient(staffed: Api, note: str) -> None:
    kari = await browser(staffed, "kari")
    answer = await kari.post(PARK, await kari.form("/console/routes", PARK) | {"note": note})
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "05073500186" not in answer.text
    assert "parkert</span>" not in (await kari.get("/console/routes")).text


async def given_up(api: Api) -> None:
    await sent(api)
    async with api.world.exchange.database.write(EVERYTHING) as tx:
        values = {"state": "failed", "owner": "operator", "changed_at": api.world.clock()}
        await tx.connection.execute(update(t.delivery).where(t.delivery.c.state == "pending").values(**values))
    api.world.clock.forward(seconds=1)


async def test_what_the_preview_showed_is_sent_again_and_nothing_that_came_after_it(staffed: Api) -> None:
    await given_up(staffed)
    await given_up(staffed)
    kari = await browser(staffed, "kari")
    page = (await kari.get(f"{RESEND}?route=far&type=LOG_INNLAGT")).text
    assert "Send 2 på nytt" in page
    fields = await kari.form(f"{RESEND}?route=far", RESEND)
    assert "until_then" not in fields, "the first form only looks"
    shown = (await kari.get(f"{RESEND}?route=far")).text
    until = shown.partition('name="until_then" value="')[2].partition('"')[0].replace("&#43;", "+")
    staffed.world.clock.forward(seconds=1)
    await given_up(staffed)
    told = {"csrf": kari.csrf, "until_then": until, "route": "far", "receiver": "", "type": "", "per_minute": "60"}
    answer = await kari.post(RESEND, told | {"note": NOTE})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{RESEND}?route=far&done=2")
    assert "2 er satt i kø igjen." in (await kari.get(answer.headers["Location"])).text
    assert await states(staffed) == ["pending", "pending", "failed"]
    for wrong in ({"per_minute": "0"}, {"per_minute": "x"}, {"receiver": "x"}, {"until_then": ""}, {"note": ""}):
        refused = await kari.post(RESEND, told | {"note": NOTE} | wrong)
        assert refused.status_code == 400, wrong
        assert 'role="alert"' in refused.text
    assert await states(staffed) == ["pending", "pending", "failed"]


async def test_a27_no_other_page_and_no_other_role_acts_on_routes(staffed: Api) -> None:
    await given_up(staffed)
    asked = {"note": NOTE, "until_then": staffed.world.clock().isoformat(), "per_minute": "60"}
    for name, sees in (("alf", 200), ("nils", 403)):
        one = await browser(staffed, name)
        page = await one.get("/console/routes")
        assert page.status_code == sees
        assert PARK not in page.text
        assert (await one.get(RESEND)).status_code == 403
        for action in (PARK, RESUME, RESEND):
            assert (await one.post(action, asked | {"csrf": one.csrf})).status_code == 403, (name, action)
    assert "/console/routes" not in (await (await browser(staffed, "nils")).get("/console")).text
    kari = await browser(staffed, "kari")
    for action in (PARK, RESEND):
        assert (await kari.post(action, asked)).status_code == 403
        assert (await (await browser(staffed)).post(action, asked | {"csrf": kari.csrf})).status_code == 401
    assert await states(staffed) == ["failed"]
