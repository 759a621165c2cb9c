"""Traces reach a collector with the times of requests, commits and attempts, and with nothing of a document."""

from __future__ import annotations

import asyncio
import gzip
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from http_receiver import Receiver, receiving
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from adapters.memory import KIND, Memory
from canary import leaks, planted
from doors import Api
from messaging import traces
from messaging.errors import ConfigurationError
from messaging.flow.deliver import RouteWorker
from messaging.registry import Registry
from messaging.settings import RouteSetting, Settings
from world import SetClock, World, world

XML = {"Content-Type": "application/xml"}
ADMITTED = "valid/plo/1.6/log_innlagt_n.xml"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
NURSING = 8110001


@pytest.fixture
async def running(settings: Settings, clock: SetClock) -> AsyncIterator[World]:
    """An exchange with one route."""
    routed = {"adapters": {"far": {"kind": "memory"}}, "routes": (RouteSetting(her_id=NURSING, to="far"),)}
    async with world(settings.model_copy(update=routed), clock, registry=Registry.of(KIND)) as opened:
        yield opened


@pytest.fixture
async def collector() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@asynccontextmanager
async def traced(to: Receiver) -> AsyncIterator[None]:
    """Send traces; at the end they are waited for in a thread, since the collector answers in this one."""
    sending = traces.sent_to(to.url, version="0")
    sending.__enter__()
    try:
        yield
    finally:
        await asyncio.to_thread(sending.__exit__, None, None, None)


def exported(collector: Receiver) -> list[Any]:
    found = []
    for request in collector.requests:
        body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        assert leaks(body.decode("latin-1")) == []
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                found.extend(scope.spans)
    return found


def told(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


async def sent(api: Api, to: Receiver, **headers: str) -> list[Any]:
    """Send a document and deliver it while traces are sent; gives what the collector got."""
    adapter = api.world.exchange.adapters["far"]
    assert isinstance(adapter, Memory)
    async with traced(to):
        client = await api.of("sykehus")
        answer = await client.post("/documents", content=planted(ADMITTED), headers={**XML, **headers})
        assert answer.status_code == 202, answer.text
        await RouteWorker(api.world.exchange, "far", adapter, actor="worker:test").work_once()
    return exported(to)


async def test_a_request_its_commit_and_the_attempt_are_measured_by_ids_and_codes(
    api: Api, collector: Receiver
) -> None:
    spans = {one.name: one for one in await sent(api, collector)}
    assert {"POST /documents", "commit", "attempt"} <= set(spans)
    request = told(spans["POST /documents"])
    assert (request["http.route"], request["http.response.status_code"]) == ("/documents", 202)
    attempt = told(spans["attempt"])
    assert (attempt["samhandling.route"], attempt["samhandling.outcome"]) == ("far", "sent")
    known = {"http.request.method", "http.route", "http.response.status_code", "samhandling.request_id"}
    known |= {f"samhandling.{name}" for name in ("route", "delivery", "message", "outcome", "messages")}
    assert set().union(*map(told, spans.values())) <= known


async def test_a_request_belongs_to_the_trace_that_its_header_names(api: Api, collector: Receiver) -> None:
    spans = await sent(api, collector, traceparent=f"00-{TRACE}-{PARENT}-01")
    (request,) = [one for one in spans if one.name == "POST /documents"]
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)


async def test_what_goes_wrong_is_told_as_a_status_and_never_in_words(api: Api, collector: Receiver) -> None:
    client = await api.of("sykehus")
    async with traced(collector):
        answer = await client.post("/documents", content=planted(ADMITTED)[:-40], headers=XML)
    (request,) = [one for one in exported(collector) if one.name == "POST /documents"]
    assert told(request)["http.response.status_code"] == answer.status_code >= 400
    assert (list(request.events), request.status.message) == ([], "")


async def test_a_collector_that_is_away_stops_nothing(api: Api) -> None:
    with traces.sent_to("http://127.0.0.1:1/v1/traces", version="0"):
        answer = await (await api.of("sykehus")).post("/documents", content=planted(ADMITTED), headers=XML)
        assert answer.status_code == 202


def test_without_the_extra_the_setting_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with (
        pytest.raises(ConfigurationError, match=r"samhandling\[traces\]"),
        traces.sent_to("http://127.0.0.1:1/", version="0"),
    ):
        pass


async def test_without_a_collector_nothing_is_measured(api: Api, collector: Receiver) -> None:
    with traces.sent_to(None, version="0"), traces.span("nothing", of=1) as span:
        span.set_attribute("a", 1)
    answer = await (await api.of("sykehus")).post("/documents", content=planted(ADMITTED), headers=XML)
    assert (answer.status_code, collector.requests) == (202, [])
