"""The one place where an error becomes an HTTP answer: problem details (RFC 9457), and version 2's ErrorMessage."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from messaging import errors
from messaging.api.headers import ALWAYS, REQUEST_ID, UNLESS_SAID
from messaging.api.shapes import ErrorMessage, MshApiProblemDetails, ProblemFault
from messaging.model.clock import system_clock
from messaging.model.faults import MOST_FAULTS, Fault

PROBLEM_JSON = "application/problem+json"
MODEL_VALIDATION = 1000
"""EDI 2.0's number for a request whose own form is wrong."""

_STATUSES: tuple[tuple[type[errors.CallerError], HTTPStatus], ...] = (
    (errors.Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (errors.Forbidden, HTTPStatus.FORBIDDEN),
    (errors.NotFound, HTTPStatus.NOT_FOUND),
    (errors.Conflict, HTTPStatus.CONFLICT),
    (errors.Locked, HTTPStatus.LOCKED),
    (errors.CallerError, HTTPStatus.BAD_REQUEST),
)

_WORDS = {
    HTTPStatus.NOT_FOUND: "There is nothing at this path.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This path does not take this method; the header Allow says which it takes.",
}
"""What to say where the framework only knows a number."""


UNREAD = {
    HTTPStatus.REQUEST_TIMEOUT: "The request came too slowly; send it again over a faster connection.",
    HTTPStatus.REQUEST_URI_TOO_LONG: "The request's path and query are longer than the exchange reads.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The request's header is larger than the exchange reads.",
}
"""What to say of a request that could not even be read."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with a request, before it is known in which shape it will be told."""

    status: HTTPStatus
    detail: str
    code: int
    validation_errors: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    refusal_id: str | None = None


def problem_of(error: Exception) -> Problem:
    """Say what an exception means to the caller; of one that nobody foresaw it says nothing."""
    match error:
        case errors.Refused():
            return _refused(error)
        case errors.Unavailable() | errors.TooManyRequests():
            busy = isinstance(error, errors.TooManyRequests)
            status = HTTPStatus.TOO_MANY_REQUESTS if busy else HTTPStatus.SERVICE_UNAVAILABLE
            reasons = error.reasons if isinstance(error, errors.NotReady) else ()
            return Problem(status, str(error), status, reasons, {"Retry-After": str(error.retry_after)})
        case errors.CallerError():
            status = next(status for kind, status in _STATUSES if isinstance(error, kind))
            challenges = error.challenges if isinstance(error, errors.Unauthenticated) else ()
            headers = {"WWW-Authenticate": ", ".join(challenges)} if challenges else {}
            return Problem(status, str(error), error.code, error.details, headers)
        case RequestValidationError():
            # A part of the path that two readers of a request look at is told of once.
            found = list(dict.fromkeys(sentence_of(one) for one in error.errors()))
            told = tuple(found[:MOST_FAULTS])
            if len(found) > MOST_FAULTS:
                told += (f"and {len(found) - MOST_FAULTS} more",)
            return Problem(HTTPStatus.BAD_REQUEST, "The request's own form is wrong.", MODEL_VALIDATION, told)
        case HTTPException():
            status = HTTPStatus(error.status_code)
            words = error.detail if error.detail != status.phrase else _WORDS.get(status, error.detail)
            return Problem(status, words, status, headers=error.headers or {})
        case _:
            words = "Something went wrong here, and not with the request; the log knows more under the requestId."
            return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, words, HTTPStatus.INTERNAL_SERVER_ERROR)


def _refused(error: errors.Refused) -> Problem:
    faults = tuple(fault for fault in error.faults if isinstance(fault, Fault))
    return Problem(
        HTTPStatus.BAD_REQUEST,
        str(error),
        error.code,
        tuple(fault.sentence() for fault in faults),
        faults=faults,
        refusal_id=error.refusal_id,
    )


_SAID_OTHERWISE = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "json_invalid": "the body is not JSON",
    "uuid_parsing": "must be a UUID",
    "uuid_type": "must be a UUID",
    "string_pattern_mismatch": "holds a control character",
}
"""Where the validation library's own words say too little, or repeat a piece of the value."""

_INPUT_SHOULD = re.compile(r"^(Input|List|String|Value|Data) should ")
_LONGEST_NAME = 100


def sentence_of(one: Mapping[str, Any]) -> str:
    """Name the field and what it must be; never the value, which may be patient data."""
    place = [str(step)[:_LONGEST_NAME] for step in one["loc"]]
    kind = one["type"]
    if kind == "json_invalid":
        return _SAID_OTHERWISE[kind]
    where = ".".join(place[1:]) or place[0]
    if place[0] == "header":
        where = f"header {where}"
    return f"{where}: {_SAID_OTHERWISE.get(kind) or _INPUT_SHOULD.sub('must ', one['msg'])}"


Render = Callable[[Request, Problem], Response]


def as_problem(request: Request, problem: Problem) -> Response:
    """Tell it as problem details, with the faults of a refused document beside the standard members."""
    shape = MshApiProblemDetails(
        title=problem.status.phrase,
        status=problem.status,
        detail=problem.detail,
        instance=request.scope["path"],
        error_code=problem.code,
        request_id=request_id_of(request),
        validation_errors=list(problem.validation_errors) or None,
        timestamp=request.app.state.exchange.clock(),
        faults=[ProblemFault.of(fault) for fault in problem.faults] or None,
        refusal_id=problem.refusal_id,
    )
    left_out = {name for name in ("faults", "refusal_id") if getattr(shape, name) is None}
    body = shape.model_dump(mode="json", by_alias=True, exclude=left_out)
    return JSONResponse(body, problem.status, dict(problem.headers), media_type=PROBLEM_JSON)


def as_error_message(request: Request, problem: Problem) -> Response:
    """Tell it as version 2 of EDI 2.0 does."""
    shape = ErrorMessage(
        error=problem.detail,
        error_code=problem.code,
        validation_errors=list(problem.validation_errors) or None,
        request_id=request_id_of(request),
    )
    return JSONResponse(shape.model_dump(mode="json", by_alias=True), problem.status, dict(problem.headers))


def bare_answer(status: HTTPStatus, request_id: str) -> bytes:
    """Write a whole HTTP answer for a request that was never read to its end; the connection ends with it."""
    shape = MshApiProblemDetails(
        title=status.phrase,
        status=status,
        detail=UNREAD.get(status, "This is no request in HTTP/1.1 (RFC 9112)."),
        instance="",
        error_code=status,
        request_id=request_id,
        validation_errors=None,
        timestamp=system_clock(),
        faults=None,
        refusal_id=None,
    )
    body = shape.model_dump_json(by_alias=True, exclude={"faults", "refusal_id"}).encode()
    headers = {
        "Content-Type": PROBLEM_JSON,
        "Content-Length": str(len(body)),
        "Connection": "close",
        REQUEST_ID: request_id,
        **ALWAYS,
        **UNLESS_SAID,
    }
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def request_id_of(request: Request) -> str:
    """Give the id under which the log knows this request."""
    return str(request.state.request_id)


def answer(request: Request, error: Exception, render: Render = as_problem) -> Response:
    """Answer a request that ended in an error."""
    return render(request, problem_of(error))


def install(app: FastAPI, render: Render) -> None:
    """Make an application answer every error in one shape."""

    async def told(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            error.headers = {"Allow": ", ".join(_methods(app, request))}
        return answer(request, error, render)

    handler: Callable[[Request, Exception], Awaitable[Response]] = told
    for kind in (errors.SamhandlingError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, handler)


def _methods(app: FastAPI, request: Request) -> list[str]:
    """Name every method that the path takes; the framework names those of the first route only."""
    scopes = {method: {**request.scope, "method": method} for method in ("DELETE", "GET", "POST", "PUT")}
    return [
        method for method, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in app.routes)
    ]


READING = (400, 401, 403, 404, 429, 500, 503)
"""What a request that only looks can be answered with instead."""
CHANGING = (*READING, 409, 413, 415, 423)
"""What a request that hands something in can be answered with instead."""


def documented(statuses: Iterable[int], shape: type[Any] = MshApiProblemDetails) -> dict[int | str, dict[str, Any]]:
    """Document error answers in an application's OpenAPI."""
    return {status: {"model": shape, "description": HTTPStatus(status).phrase} for status in sorted(statuses)}
