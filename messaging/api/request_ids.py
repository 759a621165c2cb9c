"""Around every request: its id, its line of the log, headers that all answers share, an end to what nobody foresaw."""

from __future__ import annotations

import time
from collections.abc import Mapping
from uuid import uuid4

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from messaging.api import problems
from messaging.api.headers import ALWAYS, REQUEST_ID, UNLESS_SAID
from messaging.logs import about, logger_of
from messaging.model.log import LogEvent
from messaging.traces import Span, request_span

logger = logger_of(__name__)

_PIECE = 262_144


def _as_sent(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


_REQUEST_ID = REQUEST_ID.lower().encode()
_ALWAYS, _UNLESS_SAID = _as_sent(ALWAYS), _as_sent(UNLESS_SAID)
_OURS = {_REQUEST_ID, *(name for name, _ in _ALWAYS)}


class RequestIds:
    """Gives each request an id and tells it in the answer; an unforeseen error is logged under it and nowhere told."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, request_id)
        began = time.perf_counter()
        with about(request_id=request_id), request_span(scope["headers"]) as span:
            try:
                await self._app(scope, receive, answer.send)
            except ClientDisconnect:
                logger.info(LogEvent.CLIENT_LEFT)
            except Exception as error:
                logger.exception(LogEvent.REQUEST_FAILED)
                if answer.status and not answer.ended:
                    raise
                if not answer.status:
                    await problems.answer(Request(scope), error)(scope, receive, answer.send)
            finally:
                _tell(scope, answer, time.perf_counter() - began)
                _measure(span, scope, answer, request_id)


class _Answer:
    """What is answered to one request, seen as it goes out."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0
        self.ended = False
        self.size = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            said = {name for name, _ in message.setdefault("headers", [])}
            also = [header for header in _UNLESS_SAID if header[0] not in said]
            kept = [header for header in message["headers"] if header[0] not in _OURS]
            message["headers"] = [*kept, (_REQUEST_ID, self._request_id.encode()), *_ALWAYS, *also]
        else:
            self.size += len(message.get("body", b""))
            self.ended = not message.get("more_body", False)
            message = await self._send_all_but_the_last_piece(message)
        await self._send(message)

    async def _send_all_but_the_last_piece(self, message: Message) -> Message:
        """Send a large body as it is taken, so that whoever holds memory for it knows when it has gone out."""
        rest = memoryview(message.get("body", b""))
        while len(rest) > _PIECE:
            await self._send({**message, "body": bytes(rest[:_PIECE]), "more_body": True})
            rest = rest[_PIECE:]
        return {**message, "body": bytes(rest)} if len(rest) != len(message.get("body", b"")) else message


def _tell(scope: Scope, answer: _Answer, seconds: float) -> None:
    """Write the request's line: its route as the OpenAPI document has it, and never its path or its query."""
    route = getattr(scope.get("route"), "path", "")
    if route.startswith("/health"):
        return  # asked every few seconds, and of no interest to anyone
    client = scope["state"].get("client")
    logger.info(
        LogEvent.REQUEST_ANSWERED,
        method=scope["method"],
        route=route,
        status=answer.status,
        bytes=answer.size,
        duration_ms=round(seconds * 1000, 1),
        client_id=client.id if client else None,
    )


def _measure(span: Span, scope: Scope, answer: _Answer, request_id: str) -> None:
    """Say which request was measured, by its route as the OpenAPI document has it."""
    route = getattr(scope.get("route"), "path", "")
    span.update_name(f"{scope['method']} {route}".strip())
    span.set_attribute("http.request.method", scope["method"])
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", answer.status)
    span.set_attribute("samhandling.request_id", request_id)
