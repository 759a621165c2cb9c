"""Judging a document without handing it in: nothing of it is kept."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from messaging.api import problems, views
from messaging.api.documents import XML_BODY
from messaging.api.door import Here, XmlDoor
from messaging.api.security import DOCUMENTED
from messaging.api.shapes import VerdictTold
from messaging.flow.judge import explain
from messaging.model.faults import Language

router = APIRouter(route_class=XmlDoor, dependencies=[DOCUMENTED], tags=["documents"])

Accepted = Annotated[str, Header(alias="accept-language")]

_LANGUAGES = {**dict.fromkeys(("no", "nb", "nn"), Language.NORWEGIAN), "en": Language.ENGLISH}
_MOST_RANGES = 20


async def _body(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(_body)]


@router.post("/validate", openapi_extra=XML_BODY, responses=problems.documented((400, 401, 413, 415, 429, 500, 503)))
async def validate(content: Body, exchange: Here, response: Response, accepted: Accepted = "") -> VerdictTold:
    """Judge a document as the exchange would; a rejected one is answered with 200 too, since nothing went wrong."""
    language = language_of(accepted)
    response.headers["Content-Language"] = language.value
    response.headers["Vary"] = "Accept-Language"
    return views.verdict(await explain(exchange, content), language)


def language_of(accepted: str) -> Language:
    """Choose the language that Accept-Language likes best of the two; English when it names neither (RFC 9110)."""
    ranges = [_range(part) for part in accepted.lower().split(",")[:_MOST_RANGES]]
    liked = [(weight, _LANGUAGES[primary]) for primary, weight in ranges if primary in _LANGUAGES and weight > 0]
    return max(liked, key=lambda one: one[0])[1] if liked else Language.ENGLISH


def _range(part: str) -> tuple[str, float]:
    tag, _, parameters = part.partition(";")
    weight = parameters.strip().removeprefix("q=")
    try:
        return tag.strip().partition("-")[0], float(weight) if weight else 1.0
    except ValueError:
        return "", 0.0
