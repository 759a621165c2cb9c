"""EDI 2.0: one set of paths, two versions of it, told apart by the header `api-version`."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from messaging.api import problems
from messaging.errors import InvalidRequest

VERSION = "api-version"
_FIRST_SEGMENTS = frozenset({"messages", "notifications", "mshconfigurations", "ping"})
_QUERY_NAMES = {
    name.lower(): name
    for name in (
        "HerIds",
        "Offset",
        "NotificationsToFetch",
        "ReceiverHerIds",
        "SenderHerId",
        "BusinessDocumentId",
        "IncludeMetadata",
        "MessagesToFetch",
        "OrderBy",
    )
}


class Versions:
    """Sends EDI 2.0's paths, in whatever case, to the version that the header names; all others go on."""

    def __init__(self, app: ASGIApp, versions: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._versions = versions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send one request where its header says, or tell that it says nothing we know."""
        path = scope["path"].lower() if scope["type"] == "http" else ""
        if path.partition("/")[2].partition("/")[0] not in _FIRST_SEGMENTS:
            await self._app(scope, receive, send)
            return
        version = self._versions.get(Headers(scope=scope).get(VERSION, ""))
        if version is None:
            named = " or ".join(self._versions)
            error = InvalidRequest(
                "The header api-version says which EDI 2.0 is meant.",
                code=problems.MODEL_VALIDATION,
                details=[f"header {VERSION}: must be {named}"],
            )
            await problems.answer(Request(scope), error)(scope, receive, send)
            return
        asked = {**scope, "path": path, "query_string": _as_documented(scope["query_string"])}
        try:
            await version(asked, receive, send)
        finally:
            scope["route"] = asked.get("route")


def _as_documented(query: bytes) -> bytes:
    """Write the names of query parameters as they are documented; callers write them in whatever case."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return urlencode([(_QUERY_NAMES.get(name.lower(), name), value) for name, value in pairs]).encode()
