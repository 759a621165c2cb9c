"""The pages of parties: who sees which, what they tell, and who changes whom to call."""

from __future__ import annotations

from dataclasses import replace

import pytest
from browsers import browser, employ
from test_pages import sent

from doors import Api

NURSING, WARD = 8110001, 8100001
CONTACT = f"/console/parties/{NURSING}/contact"
ODD = {"name": "Odd <b>Prøve</b>", "phone": "+47 99 00 00 00", "email": "meldinger@solvik.example"}


@pytest.fixture
async def staffed(api: Api) -> Api:
    await employ(api)
    return api


async def test_the_list_tells_how_each_stands_and_one_sees_only_ones_own(staffed: Api) -> None:
    kari, nils = await browser(staffed, "kari"), await browser(staffed, "nils")
    page = (await kari.get("/console/parties")).text
    for words in ("Fjordheim sykehus", "Solvik kommune", "i orden</span>"):
        assert words in page, words
    own = (await nils.get("/console/parties")).text
    assert "Solvik kommune" in own
    assert "Fjordheim" not in own
    assert (await nils.get(f"/console/parties/{WARD}")).status_code == 404


async def test_the_first_page_leads_to_those_who_do_not_collect(staffed: Api) -> None:
    await sent(staffed)
    staffed.world.clock.forward(hours=25)
    kari = await browser(staffed, "kari")
    assert 'href="/console/parties?only=silent"' in (await kari.get("/console")).text
    page = (await kari.get("/console/parties?only=silent")).text
    assert "Solvik kommune" in page
    assert "Fjordheim" not in page
    assert "henter ikke</span>" in (await kari.get(f"/console/parties/{NURSING}")).text
    assert "Ingen virksomhet passer." in (await kari.get("/console/parties?only=ending")).text


async def test_an_organisation_tells_who_acts_for_it_and_never_a_secret(staffed: Api) -> None:
    await sent(staffed)
    key_id, _, secret = staffed.world.keys["kommune"].partition(".")
    alf, nils = await browser(staffed, "alf"), await browser(staffed, "nils")
    page = (await alf.get(f"/console/parties/{NURSING}")).text
    assert key_id in page
    assert secret not in page
    assert key_id not in (await nils.get(f"/console/parties/{NURSING}")).text
    assert "LOG_INNLAGT" in (await alf.get(f"/console/parties/{WARD}")).text
    assert "Solvik kommune" in (await alf.get("/console/parties/100000016")).text, "by its organisation number"


@pytest.mark.parametrize("name", ["ada", "nils"])
async def test_whom_to_call_is_changed_by_an_administrator_and_by_its_own_people(staffed: Api, name: str) -> None:
    one = await browser(staffed, name)
    fields = await one.form(f"/console/parties/{NURSING}", CONTACT)
    answer = await one.post(CONTACT, fields | ODD)
    assert answer.status_code == 303
    page = (await one.get(answer.headers["Location"])).text
    assert "Kontakten er endret." in page
    assert "Odd &lt;b&gt;Prøve&lt;/b&gt;" in page
    assert "Odd <b>" not in page
    wrong = await one.post(CONTACT, fields | ODD | {"phone": "ring meg"})
    assert wrong.status_code == 400
    assert 'role="alert"' in wrong.text


async def test_a27_no_other_page_and_no_other_role_changes_whom_to_call(staffed: Api) -> None:
    for name in ("kari", "alf"):
        one = await browser(staffed, name)
        assert CONTACT not in (await one.get(f"/console/parties/{NURSING}")).text
        assert (await one.post(CONTACT, ODD | {"csrf": one.csrf})).status_code == 403, name
    nils = await browser(staffed, "nils")
    foreign = await nils.post(f"/console/parties/{WARD}/contact", ODD | {"csrf": nils.csrf})
    assert foreign.status_code == 403
    assert (await nils.post(CONTACT, ODD)).status_code == 403
    assert "Odd &lt;b&gt;" not in (await nils.get(f"/console/parties/{NURSING}")).text


TRIAL = f"/console/parties/{NURSING}/trial"


async def test_a_test_message_is_told_before_and_leads_to_its_own_page(staffed: Api) -> None:
    kari = await browser(staffed, "kari")
    assert "SAMHANDLING_TRIAL_SENDER_HER_ID" in (await kari.get(f"/console/parties/{NURSING}")).text
    refused = await kari.post(TRIAL, {"csrf": kari.csrf, "note": "ny linje"})
    assert refused.status_code == 400
    exchange = staffed.app.state.exchange
    staffed.app.state.exchange = replace(exchange, terms=replace(exchange.terms, trial_sender=WARD))
    fields = await kari.form(f"/console/parties/{NURSING}", TRIAL)
    for note in ("", "Gjelder 05073500186"):
        assert (await kari.post(TRIAL, fields | {"note": note})).status_code == 400
    answer = await kari.post(TRIAL, fields | {"note": "ny linje"})
    assert answer.status_code == 303
    page = (await kari.get(answer.headers["Location"])).text
    assert "Sendt som testmelding av en operatør" in page
    for name in ("alf", "nils"):
        one = await browser(staffed, name)
        assert TRIAL not in (await one.get(f"/console/parties/{NURSING}")).text
        assert (await one.post(TRIAL, {"csrf": one.csrf, "note": "ny linje"})).status_code == 403, name
    assert (await kari.post(TRIAL, {"note": "ny linje"})).status_code == 403
