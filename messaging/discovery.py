"""What an issuer of tokens says of itself: its metadata and the keys it signs with, fetched small and within reach."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import from_json

from messaging import http
from messaging.calling import caller
from messaging.reach import Reach

UNTOLD = (http.HTTPError, http.InvalidURL, OSError, ValueError)
"""What is raised when an issuer does not answer, or not as it should."""

_LARGEST = 1_000_000


async def call(reach: Reach, method: str, address: str, *, patience: float, **more: Any) -> http.Response:
    """Call an issuer, and take no more of its answer than a list of keys may need. Raises one of UNTOLD."""
    async with caller(reach, timeout=patience) as client, client.stream(method, address, **more) as answer:
        body = b""
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > _LARGEST:
                raise ValueError("longer than any list of keys")
        return http.Response(answer.status_code, content=body)


def told_in(content: bytes) -> dict[str, Any]:
    """Read a JSON object. Raises ValueError."""
    told = from_json(content)
    if not isinstance(told, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - what was sent is wrong, and no type of ours
    return told


async def told_at(reach: Reach, address: str, *, patience: float) -> dict[str, Any]:
    """Fetch a JSON object. Raises one of UNTOLD."""
    answer = await call(reach, "GET", address, patience=patience, headers={"Accept": "application/json"})
    if answer.status_code != HTTPStatus.OK:
        raise ValueError("it answered otherwise than 200")
    return told_in(answer.content)


async def metadata_of(reach: Reach, address: str, issuer: str, *, patience: float) -> dict[str, Any]:
    """Fetch an issuer's metadata (OpenID Connect Discovery 1.0, RFC 8414). Raises one of UNTOLD."""
    told = await told_at(reach, address, patience=patience)
    if told.get("issuer") != issuer:
        raise ValueError("the metadata names another issuer")
    keys = told.get("jwks_uri")
    if not isinstance(keys, str) or urlsplit(keys).scheme != urlsplit(address).scheme:
        raise ValueError("the keys are offered nowhere, or by a lesser scheme")
    return told


def signing_keys(told: dict[str, Any], kinds: Collection[str]) -> list[dict[str, Any]]:
    """Take the keys of a JWKS that may verify: of these kinds, not for encryption, and never symmetric.

    Raises ValueError when it is no JWKS.
    """
    keys = told.get("keys")
    if not isinstance(keys, list) or not all(isinstance(one, dict) for one in keys):
        raise ValueError("no list of keys")
    return [one for one in keys if one.get("use", "sig") == "sig" and one.get("kty") in kinds]
