"""What is done on a message's page: told before, noted, kept, and only by those who may, from a page of ours."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from browsers import browser, employ
from sqlalchemy import select, update
from test_pages import sent

from doors import Api
from messaging.model.lifecycle import OWNER, State
from messaging.model.sight import EVERYTHING
from messaging.store import tables as t

NOTE = "Linjen var nede, avtalt med kommunen"
ACTS = [("resend", State.FAILED, State.PENDING), ("close", State.WAITING, State.CLOSED)]
ACTS += [("handle", State.FAILED, State.FAILED)]


@pytest.fixture
async def staffed(api: Api) -> Api:
    await employ(api)
    return api


async def delivery_of(api: Api, message_id: str, state: State | None = None) -> dict[str, Any]:
    """Read a message's only delivery, put into a state first when one is named."""
    here = t.delivery.c.message_id == UUID(message_id)
    async with api.world.exchange.database.write(EVERYTHING) as tx:
        if state is not None:
            values = {"state": state.value, "owner": OWNER[state]}
            await tx.connection.execute(update(t.delivery).where(here).values(**values))
        return dict((await tx.connection.execute(select(t.delivery).where(here))).mappings().one())


async def lines(api: Api, message_id: str, event: str) -> list[dict[str, Any]]:
    c = t.audit.c
    query = select(t.audit).where(c.event == event, c.message_id == UUID(message_id)).order_by(c.id)
    async with api.world.exchange.database.read(EVERYTHING) as tx:
        return [dict(row) for row in (await tx.execute(query)).mappings()]


@pytest.mark.parametrize(("act", "before", "after"), ACTS)
async def test_an_act_is_told_before_and_done_once_with_its_note_in_the_log(
    staffed: Api, act: str, before: State, after: State
) -> None:
    message_id = await sent(staffed)
    delivery = await delivery_of(staffed, message_id, before)
    kari = await browser(staffed, "kari")
    path = f"/console/messages/{message_id}"
    action = f"{path}/deliveries/{delivery['id']}/{act}"
    fields = await kari.form(path, action) | {"note": f"  {NOTE}\r\n"}
    answer = await kari.post(action, fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{path}?done={act}")
    assert 'role="status"' in (await kari.get(answer.headers["Location"])).text
    assert (await delivery_of(staffed, message_id))["state"] == after
    event = {"resend": "resent", "close": "closed", "handle": "handled"}[act]
    (line,) = await lines(staffed, message_id, f"delivery.{event}")
    assert (line["actor"], line["detail"]["note"]) == ("person:kari", NOTE)
    if act != "handle":
        again = await kari.post(action, fields)
        assert again.status_code == 400
        assert "har endret seg" in again.text
        assert len(await lines(staffed, message_id, f"delivery.{event}")) == 1


@pytest.mark.parametrize("note", ["", " \r\n ", "x" * 501, "Gjelder 05073500186", "Gjelder 050735 00186"])
async def test_nothing_is_done_without_a_note_or_with_one_that_names_a_patient(staffed: Api, note: str) -> None:
    message_id = await sent(staffed)
    delivery = await delivery_of(staffed, message_id)
    kari = await browser(staffed, "kari")
    path = f"/console/messages/{message_id}"
    action = f"{path}/deliveries/{delivery['id']}/close"
    answer = await kari.post(action, await kari.form(path, action) | {"note": note})
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "05073500186" not in answer.text
    assert (await delivery_of(staffed, message_id))["state"] == State.WAITING


@pytest.mark.parametrize(("act", "before", "_after"), ACTS)
async def test_a27_no_other_page_and_no_other_role_acts(staffed: Api, act: str, before: State, _after: State) -> None:
    message_id = await sent(staffed)
    delivery = await delivery_of(staffed, message_id, before)
    path = f"/console/messages/{message_id}"
    action = f"{path}/deliveries/{delivery['id']}/{act}"
    for name in ("alf", "nils"):
        one = await browser(staffed, name)
        page = (await one.get(path)).text
        assert action not in page, "what one may not do is not offered"
        answer = await one.post(action, {"note": NOTE, "csrf": one.csrf})
        assert answer.status_code == 403, name
    kari = await browser(staffed, "kari")
    good = {"note": NOTE, "csrf": kari.csrf}
    assert (await kari.post(action, {"note": NOTE})).status_code == 403
    assert (await kari.post(action, good | {"csrf": "x" * 43})).status_code == 403
    assert (await kari.post(action, good, Origin="https://other.example")).status_code == 403
    assert (await (await browser(staffed)).post(action, good)).status_code == 401
    assert (await kari.http.post(action, json=good)).status_code == 415
    assert (await kari.http.get(action)).headers["Location"] == f"/console/messages/{message_id}"
    assert (await delivery_of(staffed, message_id))["state"] == before
    assert (await delivery_of(staffed, message_id))["handled_at"] is None


async def test_a_rejected_message_is_not_offered_again_but_its_sender_is_named_as_who_must_send_anew(
    staffed: Api,
) -> None:
    message_id = await sent(staffed)
    delivery = await delivery_of(staffed, message_id, State.REJECTED)
    kari = await browser(staffed, "kari")
    page = (await kari.get(f"/console/messages/{message_id}")).text
    assert "med ny MsgId" in page
    assert f"{delivery['id']}/resend" not in page
    assert f"{delivery['id']}/handle" in page


async def test_both_sides_and_the_operator_see_who_has_looked(staffed: Api) -> None:
    message_id = await sent(staffed)
    await (await staffed.of("operator")).get(f"/console/messages/{message_id}")
    reading = {"reason": "deviation 12"}
    await (await staffed.of("operator")).post(f"/operations/messages/{message_id}/document", json=reading)
    for client in ("sykehus", "kommune", "operator"):
        page = (await (await staffed.of(client)).get(f"/console/messages/{message_id}")).text
        assert "deviation 12" in page
        assert "opplysninger om meldingen" in page
