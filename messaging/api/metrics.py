"""Metrics in the format that Prometheus collects, for whoever oversees the exchange; no label comes from a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from messaging.api import problems
from messaging.api.door import Caller, Door, Here
from messaging.api.security import DOCUMENTED
from messaging.flow.measure import Figures, figures
from messaging.model.lengths import LONGEST, at_most
from messaging.model.lifecycle import FINAL, State
from messaging.store.overview import MOST
from messaging.store.routes import RouteRecord

router = APIRouter(route_class=Door, dependencies=[DOCUMENTED], tags=["operations"])

_GROUPS = (1, 2, 4, 8, 16, 32, 64)
_EVERY_SO_MANY_LENGTHS = 4
"""A bucket for each four-fold length of time is enough for an alert."""


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        **problems.documented(problems.READING),
        200: {"description": "The figures", "content": {"text/plain": {"schema": {"type": "string"}}}},
    },
)
async def metrics(exchange: Here, client: Caller) -> Response:
    """Give the figures of this moment; those of the process are of the one that answers."""
    registry = CollectorRegistry()
    registry.register(_Told(await figures(exchange, client)))
    ProcessCollector(registry=registry)
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Told(Collector):
    """Figures as metrics."""

    def __init__(self, told: Figures) -> None:
        self._told = told

    def collect(self) -> Iterator[Metric]:
        """Give each metric with its values."""
        yield from self._gone_through()
        yield from self._waiting()
        yield from self._routes()
        yield from self._own()

    def _gone_through(self) -> Iterator[Metric]:
        steps = CounterMetricFamily(
            "samhandling_deliveries_steps", "Deliveries received, delivered, acknowledged, …", labels=["step"]
        )
        refused = CounterMetricFamily("samhandling_refused", "Documents refused, by fault code", labels=["code"])
        for (name, key), count in sorted(self._told.totals.items()):
            if name == "step":
                steps.add_metric([key], count)
            elif name == "refused":
                refused.add_metric([key], count)
        yield steps
        yield refused
        lengths = {int(key): n for (name, key), n in self._told.totals.items() if name == "length"}
        yield _apprec_times(lengths)

    def _waiting(self) -> Iterator[Metric]:
        told = self._told
        count = GaugeMetricFamily("samhandling_deliveries_open", "Deliveries that wait, by state", labels=["state"])
        oldest = GaugeMetricFamily("samhandling_oldest_seconds", "Age of the oldest, by state", labels=["state"])
        for state in sorted(set(State) - FINAL):
            waiting = told.states.get(state)
            count.add_metric([state], waiting.count if waiting else 0)
            oldest.add_metric([state], _age(told.at, waiting.oldest if waiting else None))
        yield count
        yield oldest
        partners = GaugeMetricFamily(
            "samhandling_partner_oldest_seconds",
            "Age of the oldest that a receiver owes an answer to",
            labels=["her_id"],
        )
        for her_id, waiting in told.partners.items():
            partners.add_metric([str(her_id)], _age(told.at, waiting.oldest))
        yield partners
        yield GaugeMetricFamily(
            "samhandling_partners_owing", "Receivers that owe an answer", value=told.partners_in_all
        )
        routes = GaugeMetricFamily("samhandling_route_queue", "Deliveries in line for a route", labels=["route"])
        for route, queued in sorted(told.routes.items()):
            routes.add_metric([route], queued)
        yield routes
        yield GaugeMetricFamily(
            "samhandling_apprecs_overdue", f"AppRecs that were due and have not come, up to {MOST}", told.overdue.count
        )
        yield GaugeMetricFamily("samhandling_mailboxes_silent", "Mailboxes that nobody asks for", value=told.silent)

    def _routes(self) -> Iterator[Metric]:
        """Tell how each route stands, whether or not it has an adapter here."""
        parked = GaugeMetricFamily("samhandling_route_parked", "1: an operator has parked it", labels=["route"])
        resting = GaugeMetricFamily("samhandling_route_resting", "1: it rests after failures", labels=["route"])
        failures = GaugeMetricFamily("samhandling_route_failures", "Attempts that failed in a row", labels=["route"])
        for name in sorted({*self._told.routes, *self._told.standing}):
            one = self._told.standing.get(name, RouteRecord(name))
            parked.add_metric([name], one.parked_at is not None)
            resting.add_metric([name], one.rests_until is not None and one.rests_until > self._told.at)
            failures.add_metric([name], one.failures)
        yield from (parked, resting, failures)

    def _own(self) -> Iterator[Metric]:
        told = self._told
        yield GaugeMetricFamily("samhandling_audit_unsealed_lines", "Audit lines without a seal", value=told.unsealed)
        yield GaugeMetricFamily(
            "samhandling_audit_unsealed_seconds",
            "Age of the oldest audit line without a seal",
            value=_age(told.at, told.oldest_unsealed),
        )
        in_use, size = told.connections
        yield GaugeMetricFamily("samhandling_database_connections_in_use", "Connections in use", value=in_use)
        yield GaugeMetricFamily("samhandling_database_connections", "Connections that there may be", value=size)
        yield _group_sizes(told.group_sizes)


def _age(now: datetime, oldest: datetime | None) -> float:
    return max(0.0, (now - oldest).total_seconds()) if oldest else 0.0


def _apprec_times(lengths: Mapping[int, int]) -> Metric:
    """Tell how long AppRecs took; the sum is at most what the lengths say, since only they are kept."""
    buckets, seen, total = [], 0, 0.0
    for length in range(LONGEST + 1):
        count = lengths.get(length, 0)
        seen += count
        total += count * at_most(length).total_seconds()
        if length % _EVERY_SO_MANY_LENGTHS == 0:
            buckets.append((f"{at_most(length).total_seconds():g}", float(seen)))
    buckets.append(("+Inf", float(seen)))
    family = HistogramMetricFamily("samhandling_apprec_seconds", "From receiving a message to its AppRec")
    family.add_metric([], buckets, total)
    return family


def _group_sizes(sizes: Mapping[int, int]) -> Metric:
    buckets = [(str(most), float(sum(n for size, n in sizes.items() if size <= most))) for most in _GROUPS]
    buckets.append(("+Inf", float(sum(sizes.values()))))
    family = HistogramMetricFamily("samhandling_commit_group_size", "Messages committed in one transaction")
    family.add_metric([], buckets, float(sum(size * n for size, n in sizes.items())))
    return family
