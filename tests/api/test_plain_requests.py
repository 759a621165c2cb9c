"""Plain requests: what the framework is spared, and that nothing changes by it but the time."""

from __future__ import annotations

from types import ModuleType
from typing import Annotated
from uuid import uuid4

import pytest
from fastapi import Depends, Query
from fastapi.routing import APIRoute

import fixtures
from doors import Api
from messaging.api import plain
from messaging.api.edi import v2, v3
from messaging.http import Response

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
LEFT_TO_THE_FRAMEWORK: dict[ModuleType, set[str]] = {
    v2: {"get_messages"},  # what was not set is left out of its answer
    v3: set(),
}
ASKED = (
    ("3", "/notifications/unread?HerIds=8110001&HerIds=8110002&NotificationsToFetch=5"),
    ("3", "/notifications?HerIds=8110001&Offset=0"),
    ("3", "/messages/{id}"),
    ("3", "/messages/{id}/status"),
    ("3", "/messages/{id}/business-document"),
    ("2", "/messages/{id}/apprec"),
    ("3", "/messages/{unknown}/status"),
    ("3", "/messages/no-id/status"),
    ("3", "/notifications/unread"),
    ("3", "/notifications/unread?HerIds=8110001&HerIds=8110001"),
    ("3", "/notifications/unread?HerIds=text"),
    ("3", "/notifications?HerIds=8110001&Offset=-1"),
)


def comparable(answer: Response) -> tuple[int, object, list[tuple[str, str]]]:
    said = answer.json() if answer.content else None
    if isinstance(said, dict):
        said = {name: value for name, value in said.items() if name.lower() != "requestid"}
    kept = [one for one in sorted(answer.headers.items()) if one[0] not in ("date", "x-request-id", "request-id")]
    return answer.status_code, said, kept


@pytest.mark.parametrize(("version", "path"), ASKED)
async def test_a_request_is_answered_alike_plainly_and_by_the_framework(
    api: Api, version: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital, municipality = await api.of("sykehus"), await api.of("kommune", version)
    taken = await hospital.post("/documents", content=ADMITTED, headers={"Content-Type": "application/xml"})
    asked = path.format(id=taken.json()["id"], unknown=uuid4())
    plainly = await municipality.get(asked)

    async def refused(_value: object) -> None:
        raise plain.NotPlain

    monkeypatch.setattr(plain, "_found", refused)
    by_the_framework = await municipality.get(asked)
    assert comparable(plainly) == comparable(by_the_framework)


@pytest.mark.parametrize("version", [v2, v3], ids=["v2", "v3"])
def test_only_these_operations_of_edi_are_never_plain(version: ModuleType) -> None:
    never = {one.name for one in version.router.routes if isinstance(one, APIRoute) and plain.plainly(one) is None}
    assert never == LEFT_TO_THE_FRAMEWORK[version]


async def _nobody_has_spoken_for() -> int:
    return 1


def test_a_dependency_that_nobody_has_spoken_for_makes_a_route_never_plain() -> None:
    async def asks(number: Annotated[int, Query()], other: Annotated[int, Depends(_nobody_has_spoken_for)]) -> None:
        raise NotImplementedError(number, other)

    async def asks_nothing() -> None:
        raise NotImplementedError

    dependency = Depends(_nobody_has_spoken_for)
    assert plain.plainly(APIRoute("/", asks)) is None
    assert plain.plainly(APIRoute("/", asks_nothing, dependencies=[dependency])) is None
    assert plain.plainly(APIRoute("/", asks_nothing)) is not None
