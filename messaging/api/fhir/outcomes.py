"""Errors as FHIR tells them: an OperationOutcome."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from messaging.api.problems import Problem, request_id_of

FHIR_JSON = "application/fhir+json"

_CODES = {
    HTTPStatus.BAD_REQUEST: "invalid",
    HTTPStatus.UNAUTHORIZED: "login",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.TOO_MANY_REQUESTS: "throttled",
    HTTPStatus.SERVICE_UNAVAILABLE: "transient",
}
"""FHIR's words (value set issue-type) for our statuses."""


def as_outcome(request: Request, problem: Problem) -> Response:
    """Tell what went wrong, and under which id the log knows it."""
    issues = [problem.detail, *problem.validation_errors]
    body = {
        "resourceType": "OperationOutcome",
        "id": request_id_of(request),
        "issue": [
            {"severity": "error", "code": _CODES.get(problem.status, "processing"), "diagnostics": words}
            for words in issues
        ],
    }
    return JSONResponse(body, problem.status, dict(problem.headers), media_type=FHIR_JSON)
