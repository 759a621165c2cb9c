"""The alert rules and the dashboard that we give: they can be read, and ask for nothing that /metrics does not tell."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from doors import Api
from messaging.model.lifecycle import FINAL, State

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8"))
BOARD = json.loads((DEPLOY / "grafana" / "samhandling.json").read_text("utf-8"))
OF_PROMETHEUS = {"up"}
"""What Prometheus makes itself."""


def rules() -> list[dict[str, Any]]:
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    """Give every expression; Grafana's own variables stand for lengths of time."""
    asked = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
    return [rule["expr"] for rule in rules()] + [one.replace("$__rate_interval", "5m") for one in asked]


def selectors(expression: str) -> Iterator[promql_parser.VectorSelector]:
    found = []

    def visit(node: promql_parser.Expr) -> None:
        match node:
            case promql_parser.VectorSelector():
                found.append(node)
            case promql_parser.MatrixSelector():
                found.append(node.vector_selector)

    promql_parser.walk(promql_parser.parse(expression), pre_visit=visit)
    yield from {str(one): one for one in found}.values()


async def told(api: Api) -> dict[str, set[str]]:
    """Give the labels of every metric that /metrics knows, also of those that have no values yet."""
    text = (await (await api.of("operator")).get("/metrics")).text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        for ending in endings:
            found.setdefault(family.name + ending, set())
        for one in family.samples:
            found.setdefault(one.name, set()).update(one.labels)
    return found


async def test_every_metric_that_is_asked_for_is_told(api: Api) -> None:
    known = {**await told(api), **{name: {"job", "instance"} for name in OF_PROMETHEUS}}
    asked = {selector.name for expression in expressions() for selector in selectors(expression)}
    assert len(asked) > 15
    assert asked - known.keys() == set()


async def test_every_value_of_a_label_that_is_asked_for_can_come(api: Api) -> None:
    values = {
        "state": {str(state) for state in set(State) - FINAL},
        "step": {"received", "delivered", "acknowledged", "rejected", "failed", "refused"},
        "job": {"samhandling"},
    }
    known = await told(api)
    asked = [one for expression in expressions() for one in selectors(expression)]
    matchers = [(one.name, matcher) for one in asked for matcher in one.matchers.matchers]
    assert matchers
    for name, matcher in matchers:
        assert matcher.value in values[matcher.name], f"{name}: {matcher}"
        assert matcher.name in known.get(name, set()) | {"job", "step"}, f"{name}: {matcher}"


def test_every_rule_says_what_happened_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules()) > 10
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"], rule["alert"]
        assert rule["annotations"]["description"], rule["alert"]
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}


def test_the_commands_that_rules_name_exist() -> None:
    texts = " ".join(rule["annotations"]["description"] for rule in rules())
    named = set(re.findall(r"`samhandling ([a-z]+(?: [a-z]+)?)", texts))
    assert {"messages list", "routes list", "audit verify", "work"} <= named
    from messaging.cli import app

    groups = {group.name for group in app.registered_groups}
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert [one for one in named if one.split()[0] not in groups | commands] == []


def test_panels_do_not_lie_upon_each_other_and_have_names_of_their_own() -> None:
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_takes_the_rules() -> None:
    promtool = shutil.which("promtool") or ""
    done = subprocess.run(  # noqa: S603 - Prometheus' own tool
        [promtool, "check", "rules", str(DEPLOY / "prometheus" / "alerts.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
