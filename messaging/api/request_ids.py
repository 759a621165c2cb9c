"""Around every request: an id for the log, headers that all answers share, and the end of what nobody foresaw."""

from __future__ import annotations

import logging
from uuid import uuid4

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from messaging.api import problems

logger = logging.getLogger(__name__)

HEADER = "X-Request-Id"


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
        started = ended = False

        async def tell(message: Message) -> None:
            nonlocal started, ended
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers[HEADER] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            else:
                ended = not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, tell)
        except ClientDisconnect:
            logger.info("request %s: the client went away", request_id)
        except Exception as error:
            logger.exception("request %s failed", request_id)
            if started and not ended:
                raise
            if not started:
                await problems.answer(Request(scope), error)(scope, receive, tell)
