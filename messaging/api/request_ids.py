"""Around every request: its id, its line of the log, headers that all answers share, an end to what nobody foresaw."""

from __future__ import annotations

import time
from uuid import uuid4

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from messaging.api import problems
from messaging.api.headers import ALWAYS, REQUEST_ID, UNLESS_SAID
from messaging.logs import about, logger_of
from messaging.model.log import LogEvent

logger = logger_of(__name__)


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
        with about(request_id=request_id):
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
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID] = self._request_id
            headers.update(ALWAYS)
            for name, value in UNLESS_SAID.items():
                headers.setdefault(name, value)
        else:
            self.size += len(message.get("body", b""))
            self.ended = not message.get("more_body", False)
        await self._send(message)


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
