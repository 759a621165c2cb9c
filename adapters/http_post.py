"""Pushes each parcel to the receiver's own URL: one signed POST, whose body is the document as the sender gave it.

Signed as in the Standard Webhooks convention 1.0.0 (webhook-id, webhook-timestamp, webhook-signature). The headers
Samhandling-* are a convenience and not signed: who the document is from and for stands in the document.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import ssl
import string
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from email.utils import parsedate_to_datetime
from http.client import responses
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FilePath,
    HttpUrl,
    SecretStr,
    ValidationError,
    model_validator,
)

from messaging.calling import caller, out_of_reach
from messaging.http import AsyncClient, HTTPError, Response
from messaging.spi import AdapterKind, Deferred, Outcome, Parcel, Reach, Refused, Sent, Submit

ANSWER_LIMIT = 1024 * 1024
"""Bytes read of an answer; an AppRec is a few thousand."""

LONGEST_RETRY_AFTER = 24 * 3600.0
"""Seconds; a far side that asks for more is asked again after a day."""

ABOUT_THE_ADDRESS = {301, 302, 303, 307, 308, 401, 403, 404, 407}
"""Answers that judge the URL or who we are, and not the parcel: another comes when the settings have been mended."""

ABOUT_THE_MOMENT = {408, 409, 423, 425, 429}
"""Answers that may be another one later; so may every 5xx."""

_RECEIVER = "{receiver}"
_OWN_HEADERS = re.compile(
    r"webhook-.*|samhandling-.*|content-.*|host|transfer-encoding|connection|accept-encoding", re.IGNORECASE
)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def signing_key(secret: str) -> bytes:
    """Read a secret as Standard Webhooks writes it: whsec_ and then 24 to 64 bytes in base64. Raises ValueError."""
    encoded = secret.strip().removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if not 24 <= len(key) <= 64:  # noqa: PLR2004 - the convention's numbers
        raise ValueError("the secret must be 'whsec_' and then 24 to 64 random bytes in base64")
    return key


def _usable_url(url: str) -> str:
    try:
        one, two = HttpUrl(url.replace(_RECEIVER, "1")), HttpUrl(url.replace(_RECEIVER, "2"))
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"]) from None  # its whole text would repeat the URL
    if (one.host, one.port) != (two.host, two.port):
        raise ValueError("{receiver} may stand in the path or the query, and not in the host")
    if one.username or one.password or one.fragment:
        raise ValueError("the URL may carry no user, password or fragment; credentials belong in 'headers'")
    if "{" in url.replace(_RECEIVER, "") or "}" in url.replace(_RECEIVER, ""):
        raise ValueError("the only placeholder is {receiver}, the receiver's HER-id")
    return url


def _usable_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, value in headers.items():
        if _OWN_HEADERS.fullmatch(name) or not _HEADER_NAME.fullmatch(name):
            raise ValueError("a header's name is malformed, or the adapter sets that header itself")
        if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
            raise ValueError("a header's value must be printable ASCII without blanks at its ends")
    return headers


class Settings(BaseModel):
    """What the operator sets for an instance."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_usable_url)]
    """Where to post, by http or https; {receiver} is replaced by the receiver's HER-id. No redirect is followed."""
    secret: SecretStr | None = None
    """The signing secret, whsec_...; or else `secret_file`."""
    secret_file: FilePath | None = None
    """A file that holds the signing secret."""
    timeout_seconds: float = Field(default=30.0, gt=0, le=600)
    """How long one attempt may take, from the connection to the last byte of the answer."""
    ca_file: FilePath | None = None
    """The certificates (PEM) that vouch for the server, instead of the public ones. Checking cannot be turned off."""
    headers: Annotated[dict[str, SecretStr], AfterValidator(_usable_headers)] = {}
    """More headers for each request, such as Authorization."""
    proxy: HttpUrl | None = None
    """An HTTP proxy to go through; the process's environment is not consulted."""

    @model_validator(mode="after")
    def _one_usable_secret(self) -> Self:
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("give one of 'secret' and 'secret_file'")
        if self.secret is not None:
            signing_key(self.secret.get_secret_value())
        return self

    def key(self) -> bytes:
        """Read the signing key. Raises OSError or ValueError when the file cannot be used."""
        if self.secret_file is not None:
            return signing_key(Path(self.secret_file).read_text(encoding="ascii"))
        return signing_key(self.secret.get_secret_value() if self.secret else "")


class HttpPost:
    """One receiver's URL, over connections that are kept open."""

    def __init__(self, settings: Settings, key: bytes, client: AsyncClient) -> None:
        self._settings, self._key, self._client = settings, key, client

    async def deliver(self, parcel: Parcel) -> Outcome:
        """Post the document, and read the answer's status as the far side's word on it."""
        deadline = asyncio.get_running_loop().time() + self._settings.timeout_seconds
        url = self._settings.url.replace(_RECEIVER, str(parcel.receiver_her_id))
        headers = headers_of(parcel, self._key, int(time.time()))
        request = self._client.build_request("POST", url, content=parcel.content, headers=headers)
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._client.send(request, stream=True)
        except TimeoutError:
            return Deferred(f"no answer within {self._settings.timeout_seconds:g} seconds")
        except HTTPError as error:
            return Deferred(_what_failed(error))
        async with aclosing(answer):
            body = await _body(answer, deadline)
            return _sent(answer, body, parcel) if answer.is_success else _not_sent(answer)

    async def listen(self, submit: Submit) -> None:
        """Return at once: what the far side has to say comes in through the API, or in the answer to a parcel."""


def headers_of(parcel: Parcel, key: bytes, timestamp: int) -> dict[str, str]:
    """Say what the parcel is, and sign its id, the time (seconds since 1970) and the document's bytes."""
    # The library that carries the convention signs text; a document in ISO-8859-1 must be signed as the bytes it is.
    signed = b".".join((parcel.delivery_id.encode(), str(timestamp).encode(), parcel.content))
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": parcel.delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
        "Content-Type": "application/xml",
        "Samhandling-Message-Id": parcel.message_id,
        "Samhandling-MsgId": _printable(parcel.msg_id),
        "Samhandling-Sender": str(parcel.sender_her_id),
        "Samhandling-Receiver": str(parcel.receiver_her_id),
        "Samhandling-Type": _printable(parcel.type),
        "Samhandling-AppRec": str(parcel.is_apprec).lower(),
        "Samhandling-Attempt": str(parcel.attempt),
    }


def _printable(text: str) -> str:
    return quote(text, safe=string.punctuation.replace("%", ""))  # what is not visible ASCII would break the header


async def _body(answer: Response, deadline: float) -> bytes | None:
    """Read the answer up to just over the limit, so that the connection can serve the next parcel; None if cut off."""
    body = bytearray()
    try:
        async with asyncio.timeout_at(deadline):
            async for part in answer.aiter_raw():
                body += part
                if len(body) > ANSWER_LIMIT:
                    break
    except (HTTPError, TimeoutError):
        return None
    return bytes(body)


def _sent(answer: Response, body: bytes | None, parcel: Parcel) -> Outcome:
    said = f"HTTP {answer.status_code}"
    if parcel.is_apprec or not _is_xml(answer.headers.get("Content-Type", "")):
        return Sent(said)
    if body is None:
        return Deferred(f"{said}, but its answer was cut off, and a receipt in it may be lost")
    if len(body) > ANSWER_LIMIT:
        return Sent(f"{said}; its answer is longer than {ANSWER_LIMIT} bytes and was not read as a receipt")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        return Sent(f"{said}; its answer is compressed, unasked, and was not read as a receipt")
    return Sent(said, body if body.strip() else None)


def _not_sent(answer: Response) -> Outcome:
    status = answer.status_code
    said = f"HTTP {status} {responses.get(status, '')}".rstrip()  # our own phrase: theirs might quote the document
    if status in ABOUT_THE_ADDRESS:
        return Deferred(f"{said}: check the url and the credentials of this instance", retry_after(answer))
    if status in ABOUT_THE_MOMENT or not answer.is_client_error:
        return Deferred(said, retry_after(answer))
    return Refused(said)


def _is_xml(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type in {"application/xml", "text/xml"} or media_type.endswith("+xml")


def retry_after(answer: Response) -> float | None:
    """Read Retry-After (RFC 9110 §10.2.3), in seconds or as a date; None when there is none or it makes no sense."""
    text = answer.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,15}", text):
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        wait = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, 0.0), LONGEST_RETRY_AFTER)


def _what_failed(error: BaseException) -> str:
    """Say what went wrong in words that hold no URL; what is the operator's to mend is told in full."""
    if beyond := out_of_reach(error):
        return str(beyond)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the server's certificate is not trusted: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    return f"the connection failed ({type(error).__name__})"


@asynccontextmanager
async def open_http_post(name: str, settings: Settings, reach: Reach) -> AsyncIterator[HttpPost]:  # noqa: ARG001 - has nothing to submit
    """Open the connection pool, and close it when the context is left. Raises ValueError when the URL is no good."""
    await reach.check(settings.url.replace(_RECEIVER, "1"))
    client = caller(
        reach,
        timeout=None,  # the attempt's own deadline rules
        headers={
            "User-Agent": "Samhandling",
            "Accept": "application/xml, */*;q=0.1",
            "Accept-Encoding": "identity",
            **{header: value.get_secret_value() for header, value in settings.headers.items()},
        },
        ca_file=str(settings.ca_file) if settings.ca_file else None,
        proxy=str(settings.proxy) if settings.proxy else None,
    )
    async with client:
        yield HttpPost(settings, settings.key(), client)


KIND = AdapterKind("http_post", Settings, open_http_post)
