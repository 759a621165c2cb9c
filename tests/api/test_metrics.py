"""Metrics: figures for a monitoring system, on both databases; nothing in them comes from a document."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

import fixtures
from doors import Api
from messaging.flow import measure, overview
from messaging.flow.seal import Sealer
from messaging.model.sight import EVERYTHING
from messaging.store import routes

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
NURSING = 8110001
XML = {"Content-Type": "application/xml"}


async def scraped(api: Api) -> dict[tuple[str, tuple[str, ...]], float]:
    while await Sealer(api.world.exchange).seal():
        pass
    while await overview.count_on(api.world.exchange):
        pass
    answer = await (await api.of("operator")).get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.text)
    return {(one.name, tuple(one.labels.values())): one.value for family in families for one in family.samples}


async def sent(api: Api) -> str:
    now = api.world.clock().isoformat().encode()
    content = re.sub(rb"(<MsgId>)[^<]+", rb"\g<1>" + str(uuid4()).encode(), ADMITTED, count=1)
    content = re.sub(rb"(<GenDate>)[^<]+", rb"\g<1>" + now, content, count=1)
    answer = await (await api.of("sykehus")).post("/documents", content=content, headers=XML)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def test_what_waits_is_told_by_state_and_by_the_one_who_owes_it(api: Api) -> None:
    await sent(api)
    api.world.clock.forward(hours=2)
    await sent(api)
    told = await scraped(api)
    assert told["samhandling_deliveries_open", ("waiting",)] == 2
    assert told["samhandling_deliveries_open", ("failed",)] == 0
    assert told["samhandling_oldest_seconds", ("waiting",)] == timedelta(hours=2).total_seconds()
    assert told["samhandling_partner_oldest_seconds", (str(NURSING),)] == timedelta(hours=2).total_seconds()
    assert told["samhandling_partners_owing", ()] == 1


async def test_what_has_gone_through_only_grows_and_is_counted_once(api: Api) -> None:
    message_id = await sent(api)
    assert (await scraped(api))["samhandling_deliveries_steps_total", ("received",)] == 1
    api.world.clock.forward(hours=1)
    said = {"appRecSenderHerId": NURSING, "appRecStatus": "Ok", "applicationName": "EPJ", "applicationVersion": "1"}
    answer = await (await api.of("kommune", "3")).post(f"/messages/{message_id}/apprec", json=said)
    assert answer.status_code == 202, answer.text
    for _ in range(2):
        told = await scraped(api)
        assert told["samhandling_deliveries_steps_total", ("acknowledged",)] == 1
        assert told["samhandling_apprec_seconds_count", ()] == 1
        assert told["samhandling_apprec_seconds_bucket", ("1024",)] == 0
        assert told["samhandling_apprec_seconds_bucket", ("4096",)] == 1


async def test_refusals_are_counted_by_their_code(api: Api) -> None:
    answer = await (await api.of("sykehus")).post("/documents", content=b"<no", headers=XML)
    assert answer.status_code == 400
    told = await scraped(api)
    assert told["samhandling_refused_total", ("T01",)] == 1


async def test_the_state_of_the_log_the_database_and_the_committer_is_told(api: Api) -> None:
    await sent(api)
    told = await scraped(api)
    assert told["samhandling_audit_unsealed_lines", ()] == 0
    assert told["samhandling_database_connections", ()] >= 2
    assert told["samhandling_commit_group_size_count", ()] == 1


@pytest.mark.parametrize(("client", "status"), [("sykehus", 403), (None, 401)])
async def test_figures_are_for_those_who_oversee_the_exchange(api: Api, client: str | None, status: int) -> None:
    assert (await (await api.of(client)).get("/metrics")).status_code == status


async def test_an_apprec_that_is_overdue_and_a_mailbox_that_nobody_asks_for_are_told(api: Api) -> None:
    await sent(api)
    told = await scraped(api)
    assert (told["samhandling_apprecs_overdue", ()], told["samhandling_mailboxes_silent", ()]) == (0, 0)
    api.world.clock.forward(hours=100)
    told = await scraped(api)
    assert (told["samhandling_apprecs_overdue", ()], told["samhandling_mailboxes_silent", ()]) == (1, 1)


async def test_how_a_route_stands_is_told_also_without_an_adapter(api: Api) -> None:
    exchange = api.world.exchange
    async with exchange.database.write(EVERYTHING) as tx:
        await routes.hold(tx, "far")
        soon = exchange.clock() + timedelta(minutes=1)
        await routes.change(tx, "far", failures=5, rests_until=soon, parked_at=exchange.clock())
    names = ("samhandling_route_parked", "samhandling_route_resting", "samhandling_route_failures")
    told = await scraped(api)
    assert [told[name, ("far",)] for name in names] == [1, 1, 5]
    api.world.clock.forward(minutes=2)
    told = await scraped(api)
    assert [told[name, ("far",)] for name in names] == [1, 0, 5]


async def test_partners_are_named_up_to_a_bound_the_longest_waiting_first(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "MOST_PARTNERS", 1)
    await sent(api)
    api.world.clock.forward(hours=1)
    content = fixtures.read("valid/plo/1.6/log_avmelding_n.xml")
    content = re.sub(rb"(<GenDate>)[^<]+", rb"\g<1>" + api.world.clock().isoformat().encode(), content, count=1)
    assert (await (await api.of("sykehus")).post("/documents", content=content, headers=XML)).status_code == 202
    told = await scraped(api)
    named = [labels for name, labels in told if name == "samhandling_partner_oldest_seconds"]
    assert named == [(str(NURSING),)]
    assert told["samhandling_partners_owing", ()] == 2


async def test_a_process_that_stops_is_not_ready_and_says_why(api: Api) -> None:
    health = await api.of(None)
    assert (await health.get("/health/ready")).json() == {"status": "ok"}
    api.world.exchange.wakeups.close()
    answer = await health.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["validationErrors"] == ["process: it is stopping; ask another one"]
    assert (await health.get("/health/live")).json() == {"status": "ok"}
