"""The OpenAPI documents: what the framework writes, corrected to what the doors really answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from messaging.api.problems import PROBLEM_JSON, UNREAD

_ANSWERS = ("application/json", "text/html")
"""The framework tells errors under the media type of what is answered when all is well."""
_ANY_PROBLEM = {PROBLEM_JSON: {"schema": {"type": "object"}}}

_NEVER_SENT = ("HTTPValidationError", "ValidationError")


def correct(app: FastAPI, *errors: str) -> None:
    """Make an application's OpenAPI tell its errors under their media types, and not those that it never answers."""
    written = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = written()
            for operation in _operations(schema):
                _correct_answers(operation["responses"], errors or (PROBLEM_JSON,))
            for name in _NEVER_SENT:
                schema.get("components", {}).get("schemas", {}).pop(name, None)
        return written()

    app.openapi = openapi  # type: ignore[method-assign]


def _operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in schema["paths"].values():
        yield from (operation for operation in path.values() if "responses" in operation)


def _correct_answers(answers: dict[str, Any], errors: tuple[str, ...]) -> None:
    answers.pop("422", None)
    for unread in UNREAD:
        answers.setdefault(str(int(unread)), {"description": unread.phrase, "content": _ANY_PROBLEM})
    for status, told in answers.items():
        if status >= "400" and any(name in told.get("content", {}) for name in _ANSWERS):
            shape = next(iter(told["content"].values()))
            told["content"] = {errors[0]: shape, **{name: {"schema": {"type": "object"}} for name in errors[1:]}}
