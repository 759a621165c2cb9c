"""The plain case of a request: all that its function asks for is there and well formed, and is handed over at once.

The framework works a tree of look-ups out anew for each request, which costs more than most answers do. What is not
plain is left to it, and it says in the documented words what is wrong; it also writes everything down in OpenAPI.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints
from uuid import UUID

from fastapi import Request, Response
from fastapi.params import Depends, Path, Query
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter

Look = Callable[[Request], Any]
"""Takes one thing out of a request; gives it, or something that is awaited for it. Raises NotPlain or ValueError."""
Answer = Callable[[Any], Response]


class NotPlain(Exception):
    """The request is not plain; the framework reads it."""


_KNOWN: dict[Any, Look] = {}


def stands_for(dependency: Any, look: Look) -> None:
    """Say what a dependency comes to in the plain case; a route with one that nobody has spoken for is never plain."""
    _KNOWN[dependency] = look


def header(name: str, only: str | None = None) -> Look:
    """Look a header up that must be there, perhaps with one value only."""

    def look(request: Request) -> str:
        said: str | None = request.headers.get(name)
        if not said or (only is not None and said != only):
            raise NotPlain
        return said

    return look


def plainly(route: APIRoute) -> Callable[[Request], Coroutine[Any, Any, Response]] | None:
    """Give what answers a plain request to a route, and raises NotPlain for any other; None where there is no such."""
    try:
        checks = [_KNOWN[one.dependency] for one in route.dependencies]
        looks, own_response = _looks_of(route.endpoint)
        answer = _answer_of(route)
    except KeyError:
        return None

    async def read(request: Request) -> Response:
        try:
            for check in checks:
                await _found(check(request))
            given = {name: await _found(look(request)) for name, look in looks}
        except ValueError as error:  # what is wrong with it is the framework's to say
            raise NotPlain from error
        if not own_response:
            return answer(await route.endpoint(**given))
        beside = Response()
        del beside.headers["content-length"]
        response = answer(await route.endpoint(**given, **{own_response: beside}))
        response.raw_headers.extend(beside.raw_headers)
        return response

    return read


async def _found(value: Any) -> Any:
    return await value if isinstance(value, Awaitable) else value


def _looks_of(function: Callable[..., Any]) -> tuple[list[tuple[str, Look]], str]:
    """Say how each argument is looked up, and which one is the response that the function writes headers to."""
    hints, looks, own_response = get_type_hints(function, include_extras=True), [], ""
    for name, parameter in inspect.signature(function).parameters.items():
        if hints[name] is Response:
            own_response = name
        else:
            looks.append((name, _look_for(name, hints[name], parameter.default)))
    return looks, own_response


def _look_for(name: str, hint: Any, default: Any) -> Look:
    """Say how one argument is looked up. Raises KeyError when it is of a kind that is not known here."""
    kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    for note in notes:
        if isinstance(note, Depends):
            return _KNOWN[note.dependency]
        if isinstance(note, Path | Query):
            place = note.alias or name
            return _of_path(place, hint) if isinstance(note, Path) else _of_query(place, kind, hint, default)
    if kind is UUID:
        return _of_path(name, UUID)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _of_body(kind)
    raise KeyError(name)


def _of_path(name: str, hint: Any) -> Look:
    reads = TypeAdapter(hint).validate_python
    return lambda request: reads(request.path_params[name])


def _of_query(name: str, kind: Any, hint: Any, default: Any) -> Look:
    reads, many = TypeAdapter(hint).validate_python, get_origin(kind) is list

    def look(request: Request) -> Any:
        said = request.query_params.getlist(name)
        if said:
            return reads(said if many else said[-1])
        if default is inspect.Parameter.empty:
            raise NotPlain
        return default

    return look


def _of_body(model: type[BaseModel]) -> Look:
    async def look(request: Request) -> BaseModel:
        return model.model_validate(await request.json())

    return look


def _answer_of(route: APIRoute) -> Answer:
    """Say how what the function gives becomes an answer. Raises KeyError where that is not known here."""
    gives, status = get_type_hints(route.endpoint).get("return"), route.status_code or 200
    if gives is NoneType:
        return lambda _: Response(status_code=status)
    if isinstance(gives, type) and issubclass(gives, Response):
        return _as_it_is
    if any(_left_out(route)) or gives is None:
        raise KeyError("return")
    writes = TypeAdapter(gives).dump_json
    return lambda value: Response(writes(value, by_alias=True), status, media_type="application/json")


def _as_it_is(response: Response) -> Response:
    return response


def _left_out(route: APIRoute) -> Iterator[Any]:
    yield route.response_model_include
    yield route.response_model_exclude
    yield route.response_model_exclude_unset
    yield route.response_model_exclude_defaults
    yield route.response_model_exclude_none
