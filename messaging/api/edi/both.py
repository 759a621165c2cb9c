"""What both versions of EDI 2.0 say in the same way: who calls, a document, an AppRec's error."""

from __future__ import annotations

from asyncio import to_thread
from binascii import a2b_base64, b2a_base64
from typing import Annotated, Literal

from fastapi import Depends, Header
from pydantic import Field

from messaging.api.body import too_large
from messaging.api.plain import header, stands_for
from messaging.api.problems import MODEL_VALIDATION
from messaging.api.shapes import Asked, Name, Told, Words
from messaging.errors import InvalidRequest
from messaging.flow.exchange import Terms
from messaging.model.receipt import ERROR_CODES_OID, ReceiptError


async def _source_system(
    nhn_source_system: Annotated[str, Header(min_length=1, description="Name and version of the calling system")],
) -> str:
    return nhn_source_system


stands_for(_source_system, header("nhn-source-system"))
SourceSystem = Annotated[str, Depends(_source_system)]
NEEDS_SOURCE_SYSTEM = Depends(_source_system)

_AT_ONCE = 1 << 18
"""So many characters are decoded in one go; a multiple of four."""

ContentType = Literal["application/xml", "text/xml"]
Encoding = Literal["base64"]
Base64 = Annotated[str, Field(min_length=1, description="The document in Base64, without line breaks")]
ErrorCode = Annotated[Name, Field(min_length=1)]


class AppRecErrorAsked(Asked):
    """One error of an AppRec: a code of list 8221 (or of the list that `oid` names), its name, and free text."""

    error_code: ErrorCode
    details: Words | None = None
    description: Name | None = None
    oid: Name | None = None

    def error(self) -> ReceiptError:
        """Give the error as the AppRec says it: `description` is its DN, `details` its OT."""
        return ReceiptError(self.error_code, self.description or "", self.details or "", self.oid or ERROR_CODES_OID)


class AppRecError(Told):
    """One error of an AppRec, as its receiver wrote it."""

    error_code: str
    details: str | None
    description: str | None
    oid: str | None


class GetBusinessDocumentResponse(Told):
    """A document in Base64."""

    business_document: str
    content_type: str = "application/xml"
    content_transfer_encoding: str = "base64"


async def decoded(text: str, terms: Terms) -> bytes:
    """Read strict Base64 (RFC 4648, section 4). Raises InvalidRequest, or 413 when the document is too large."""
    try:
        content = a2b_base64(text, strict_mode=True) if len(text) <= _AT_ONCE else await to_thread(_in_pieces, text)
    except ValueError:
        words = "businessDocument: must be Base64 (RFC 4648, section 4), without line breaks"
        raise InvalidRequest("The request's own form is wrong.", code=MODEL_VALIDATION, details=[words]) from None
    if len(content) > terms.largest_document:
        raise too_large(terms.largest_document)
    return content


def _in_pieces(text: str) -> bytes:
    """Decode piece by piece, since one long call would hold up every other request. Raises ValueError."""
    if "=" in text[:-_AT_ONCE]:
        raise ValueError("padding stands at the end only")
    content = bytearray()
    for start in range(0, len(text), _AT_ONCE):
        content += a2b_base64(text[start : start + _AT_ONCE], strict_mode=True)
    return bytes(content)


def encoded(content: bytes) -> GetBusinessDocumentResponse:
    """Write a document in Base64."""
    return GetBusinessDocumentResponse(business_document=b2a_base64(content, newline=False).decode())
