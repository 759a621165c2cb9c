"""The way to the doors that most goes through: a path is looked up in a table, and its route is called at once.

The framework looks for a route among all that it has, twice over, through several layers. Whatever is not in the table
goes its way, and so does every path that it has the words for: unknown ones, and methods that are not taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

Key = tuple[str, ...]
"""A method, and the segments of a path; a parameter's segment is empty, as none is in a path that leads anywhere."""


class Straight:
    """Calls the routes of some routers without a search; `app` is the framework's way to everything of `of`."""

    def __init__(self, app: ASGIApp, *, of: FastAPI, routers: Iterable[APIRouter]) -> None:
        self._app = app
        self._of = of
        self._routes: dict[Key, APIRoute] = {}
        self._places: dict[int, list[tuple[int, ...]]] = {}
        for router in routers:
            for route in router.routes:
                if isinstance(route, APIRoute):
                    self._add(route)
        handlers = dict(of.exception_handlers)
        unforeseen = handlers.pop(Exception, None)
        # What the framework puts around a route, where the route is read by the framework and not plainly.
        self._guarded = ServerErrorMiddleware(AsyncExitStackMiddleware(_called), handler=unforeseen)
        self._handlers = handlers

    def _add(self, route: APIRoute) -> None:
        segments = route.path.split("/")[1:]
        places = tuple(place for place, segment in enumerate(segments) if segment.startswith("{"))
        if places not in self._places.setdefault(len(segments), []):
            self._places[len(segments)].append(places)
        for method in route.methods or ():
            self._routes.setdefault((method, *_with_gaps(segments, places)), route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a request to its route, or the framework's way."""
        found = self.find(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if found is None or scope.get("root_path"):
            await self._app(scope, receive, send)
            return
        route, scope["path_params"] = found
        scope["app"], scope["route"], scope["endpoint"] = self._of, route, route.endpoint
        scope["starlette.exception_handlers"] = (self._handlers, {})
        await self._guarded(scope, receive, send)

    def find(self, method: str, path: str) -> tuple[APIRoute, dict[str, str]] | None:
        """Look up the route that a path leads to, and what stands in the place of its parameters."""
        segments = path.split("/")[1:]
        if "" in segments:
            return None
        for places in self._places.get(len(segments), ()):
            route = self._routes.get((method, *_with_gaps(segments, places)))
            if route is not None:
                return route, {
                    name: segments[place] for name, place in zip(route.param_convertors, places, strict=True)
                }
        return None


async def _called(scope: Scope, receive: Receive, send: Send) -> None:
    await scope["route"].app(scope, receive, send)


def _with_gaps(segments: Sequence[str], places: tuple[int, ...]) -> list[str]:
    gone = list(segments)
    for place in places:
        gone[place] = ""
    return gone
