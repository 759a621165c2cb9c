"""The straight way to the doors leads where the framework would."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from uuid import uuid4

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match

from messaging.api import documents
from messaging.api.edi import v2, v3
from messaging.api.straight import Straight

ROUTERS = {"documents": [documents.router], "edi-v2": [v2.router], "edi-v3": [v3.router]}
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")


async def nowhere(_scope: object, _receive: object, _send: object) -> None:
    raise AssertionError("nothing is asked here")


def straight(routers: Sequence[APIRouter]) -> Straight:
    return Straight(nowhere, of=FastAPI(), routers=routers)


def every_route(routers: Sequence[APIRouter]) -> list[APIRoute]:
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def paths(routes: Sequence[APIRoute]) -> Iterator[str]:
    for path in {route.path for route in routes}:
        known = re.sub(r"{[^}]*}", str(uuid4()), path)
        yield from (known, re.sub(r"{[^}]*}", "no id", path), f"{known}/", f"{known}/more", f"/{known}", known.upper())
    yield from ("/", "", "//", "/unknown")


@pytest.mark.parametrize("name", ROUTERS)
def test_every_path_leads_to_the_route_that_the_framework_would_find(name: str) -> None:
    routes, ours, led = every_route(ROUTERS[name]), straight(ROUTERS[name]), set()
    for path in paths(routes):
        for method in METHODS:
            scope = {"type": "http", "method": method, "path": path, "path_params": {}, "headers": []}
            matching = ((route, *route.matches(scope)) for route in routes)
            fits = next(((route, more) for route, match, more in matching if match is Match.FULL), None)
            found = ours.find(method, path)
            if found is None:
                assert fits is None, f"{method} {path} is not in the table"
            else:
                assert fits is not None, f"{method} {path} leads nowhere"
                assert found == (fits[0], fits[1]["path_params"])
                led.add(fits[0].unique_id)
    assert led == {route.unique_id for route in routes}
