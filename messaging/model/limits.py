"""How much a document may ask of whoever reads it: one value, made from the settings and handed down."""

from __future__ import annotations

from dataclasses import dataclass

ATTACHMENT_TYPES = frozenset(
    {
        "application/pdf",
        "application/rtf",
        "application/xml",
        "image/bmp",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/tiff",
        "text/plain",
        "text/xml",
    }
)
"""The MIME types that are taken; Henvisning 2.0 demands PDF, JPEG and PNG, and the others show what they are."""

DEEPEST = 256
"""Elements nested deeper than this libxml2 itself does not read."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a document; `messaging/limit_settings.py` says what each is for."""

    document_bytes: int = 35_000_000
    encodings: tuple[str, ...] = ("utf-8", "iso-8859-1")
    prolog_bytes: int = 4_096
    stylesheets: bool = False
    depth: int = 64
    elements: int = 100_000
    children: int = 5_000
    attributes: int = 64
    attributes_in_all: int = 500_000
    declarations: int = 64
    remarks: int = 1_000
    name_characters: int = 256
    text_characters: int = 10_000_000
    attachment_bytes: int = 26_250_000
    attachments_bytes: int = 7_500_000
    attachment_types: frozenset[str] = ATTACHMENT_TYPES


AS_KEPT = Limits(
    document_bytes=1 << 40,
    prolog_bytes=1 << 40,
    stylesheets=True,
    depth=DEEPEST,
    elements=1 << 40,
    children=1 << 31,
    attributes=1 << 40,
    attributes_in_all=1 << 40,
    declarations=1 << 40,
    remarks=1 << 40,
    name_characters=1 << 40,
    text_characters=1 << 40,
)
"""For a document that is kept already: what was let in once is answered, whatever the limits are today."""
