"""The walk leaves nothing out: every page and every action of the console stands in it."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.routing import APIRoute
from walk.test_actions_in_chromium import ACTIONS
from walk.test_pages_in_chromium import SEEN

from messaging import console

FILES = {
    *("/messages.csv", "/messages/{message_id}/proof.json", "/messages/{message_id}/trail.html"),
    *("/charts/{name}.svg", "/live", "/static/{name}"),
}
"""What is no page: it is asked for by pages, or comes as a file."""


def routes(router: APIRouter, method: str) -> Iterator[str]:
    """Name what takes a method, without what all paths of the console begin with."""
    for one in router.routes:
        if isinstance(one, APIRoute):
            if method in one.methods:
                yield one.path.removeprefix("/console")
        else:
            included = getattr(one, "original_router", None)
            assert isinstance(included, APIRouter), one
            yield from routes(included, method)


def test_an_action_that_is_not_walked_is_missed() -> None:
    assert set(routes(console.router, "POST")) == set(ACTIONS)


def test_a_page_that_is_not_walked_is_missed() -> None:
    leads_back = set(ACTIONS) - set(SEEN)  # who asks for what only a form sends is led to the form
    assert set(routes(console.router, "GET")) - leads_back == FILES | set(SEEN)
