"""Attachments (vedlegg, HIS 1036): their type, their bytes, their size. That Base64 decodes the schema says, nearly."""

from __future__ import annotations

import binascii
from collections.abc import Iterator

from messaging.documents.document import Document
from messaging.documents.names import namespace_of, qualified
from messaging.documents.reader import Element
from messaging.documents.rules.declaration import Finding, as_one, rule
from messaging.documents.tree import child, text
from messaging.model.faults import FaultCode
from messaging.model.limits import ATTACHMENT_TYPES
from messaging.model.rules import RuleName, Severity

_BEGINNINGS = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"{\\rtf", "application/rtf"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"MZ", "application/x-msdownload"),
    (b"\x7fELF", "application/x-executable"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xca\xfe\xba\xbe", "application/java-vm"),
    (b"\xd0\xcf\x11\xe0", "application/x-ole-storage"),
)
_SHOWN = ("application/pdf", "application/rtf", "image/")
"""What shows a page or a picture; every other type in _BEGINNINGS is a program, an archive, or may carry one."""
_TEXTS = frozenset({"text/plain", "text/xml", "application/xml"})
_LOOKED_AT = 1024
"""Characters of Base64 from which the type is told."""
_BLANKS = "\t\n\r "


@rule(
    RuleName.ATTACHMENT_TYPE,
    FaultCode.T99,
    Severity.REJECT,
    source="HIS 1036; HITS 1168: an attachment of an unsupported format gets a negative AppRec",
    english="The attachment's MimeType is none that is taken; expected {taken}.",
    norwegian="Vedleggets MimeType er ingen som tas imot; det skal være {taken}.",
)
def attachments_are_of_a_type_that_is_taken(document: Document) -> Iterator[Finding]:
    """An attachment says that it is of a type that receivers can show."""
    for attachment in document.attachments:
        if attachment.declared and attachment.declared not in document.limits.attachment_types:
            place = child(attachment.place, qualified(namespace_of(str(attachment.place.tag)), "MimeType"))
            yield Finding(
                attachment.place if place is None else place,
                {"taken": ", ".join(sorted(document.limits.attachment_types))},
            )


@rule(
    RuleName.ATTACHMENT_BASE64,
    FaultCode.T02,
    Severity.REJECT,
    source="XML Schema: xs:base64Binary (RFC 4648)",
    english="The attachment's Base64 holds letters outside its alphabet.",
    norwegian="Vedleggets Base64 inneholder tegn utenfor alfabetet sitt.",
)
def attachments_are_strict_base64(document: Document) -> Iterator[Finding]:
    """An attachment is Base64 to its last letter; libxml2's own check stops at one outside ASCII and takes the rest."""
    for attachment in document.attachments:
        if attachment.container is not None and not text(attachment.container).isascii():
            yield Finding(attachment.container)


@rule(
    RuleName.ATTACHMENT_BYTES,
    FaultCode.T99,
    Severity.WARN,
    source="HIS 1036",
    english="The attachment's bytes are not of the type that MimeType declares, or no MimeType is given.",
    norwegian="Vedleggets innhold er ikke av typen som MimeType oppgir, eller MimeType mangler.",
)
def attachments_are_what_they_say(document: Document) -> Iterator[Finding]:
    """An attachment's first bytes are those of the type that it declares."""
    for attachment in document.attachments:
        if attachment.container is None or attachment.compressed:
            continue
        if not attachment.declared or not _agrees(attachment.declared, _beginning(attachment.container)):
            yield Finding(attachment.place)


@rule(
    RuleName.ATTACHMENT_PROGRAM,
    FaultCode.T99,
    Severity.REJECT,
    source="HITS 1168: an attachment of an unsupported format gets a negative AppRec",
    english="The attachment begins as a program or an archive does, whatever its MimeType says; send what it holds "
    "as PDF, picture or text.",
    norwegian="Vedlegget begynner som et program eller et arkiv, uansett hva MimeType sier; send innholdet som PDF, "
    "bilde eller tekst.",
)
def attachments_are_no_programs(document: Document) -> Iterator[Finding]:
    """An attachment is no program and no archive, unless it says that it is compressed (Compression)."""
    for attachment in document.attachments:
        if attachment.container is not None and not attachment.compressed:
            beginning = _beginning(attachment.container)
            if _is_program(beginning) and not (attachment.declared in _TEXTS and _is_text(beginning)):
                yield Finding(attachment.place)


@rule(
    RuleName.ATTACHMENT_LIMIT,
    FaultCode.T99,
    Severity.REJECT,
    source="the exchange's limits (docs/limits.md)",
    english="The attachment is larger than {most} bytes, decoded; make it smaller, or ask the exchange's operator to "
    "raise limits.attachment_bytes.",
    norwegian="Vedlegget er større enn {most} byte, dekodet; gjør det mindre, eller be den som driver tjenesten om å "
    "heve limits.attachment_bytes.",
)
def attachments_keep_the_limit(document: Document) -> Iterator[Finding]:
    """An attachment is no larger than the exchange's limit for one."""
    most = document.limits.attachment_bytes
    for attachment in document.attachments:
        if attachment.container is not None and decoded_size(text(attachment.container)) > most:
            yield Finding(attachment.place, {"most": str(most)})


@rule(
    RuleName.ATTACHMENT_MISSING,
    FaultCode.T99,
    Severity.WARN,
    source="HIS 1036; HIS 80601 (RefDoc)",
    english="The attachment is not in the message: expected Content with a Base64Container that holds something.",
    norwegian="Vedlegget er ikke med i meldingen: det skal være Content med en Base64Container som ikke er tom.",
)
def attachments_are_in_the_message(document: Document) -> Iterator[Finding]:
    """An attachment is in the message itself: a reference to a file elsewhere helps nobody who cannot reach it."""
    for attachment in document.attachments:
        container = attachment.container
        if attachment.refers_elsewhere or container is None or not text(container):
            yield Finding(attachment.place)


@rule(
    RuleName.ATTACHMENT_SIZE,
    FaultCode.T99,
    Severity.WARN,
    source="HIS 1036 (10 MB is the recommended ceiling)",
    english="The attachments are {megabytes} MB together; {ceiling} MB is the recommended ceiling, and some receivers "
    "take no more.",
    norwegian="Vedleggene er til sammen {megabytes} MB; {ceiling} MB er anbefalt øvre grense, og enkelte mottakere tar "
    "ikke imot mer.",
)
def attachments_are_not_too_large(document: Document) -> Iterator[Finding]:
    """All attachments together make a message of at most 10 MB."""
    found = [attachment for attachment in document.attachments if attachment.container is not None]
    size = sum(decoded_size(text(attachment.container)) for attachment in found if attachment.container is not None)
    most = document.limits.attachments_bytes
    if size > most:
        words = {"megabytes": f"{size / 1e6:.1f}", "ceiling": f"{most / 1e6:.1f}"}
        yield from as_one([found[0].place], words)


def decoded_size(base64: str) -> int:
    """Tell how many bytes a Base64 text stands for, without decoding it."""
    characters = len(base64) - sum(base64.count(blank) for blank in _BLANKS)
    return characters * 3 // 4 - base64[-8:].count("=")


def _beginning(container: Element) -> bytes:
    """Decode the first bytes of a Base64Container."""
    written = "".join(text(container)[: 2 * _LOOKED_AT].split())[:_LOOKED_AT]
    try:
        return binascii.a2b_base64(written[: len(written) // 4 * 4])
    except ValueError:  # binascii.Error is one, and so is what it says of letters outside ASCII
        return b""


def _type_of(beginning: bytes) -> str:
    return next((mime for magic, mime in _BEGINNINGS if beginning.startswith(magic)), "")


def _is_program(beginning: bytes) -> bool:
    real = _type_of(beginning)
    return bool(real) and not real.startswith(_SHOWN)


def _is_text(beginning: bytes) -> bool:
    """Tell whether bytes may be text, such as one that begins with the letters MZ."""
    return not any(byte in b"\x7f" or (byte < ord(" ") and byte not in b"\t\n\r\f") for byte in beginning)


def _agrees(declared: str, beginning: bytes) -> bool:
    """Tell whether bytes may be of a declared type; of a type that is not known, nothing can be said."""
    if declared not in ATTACHMENT_TYPES or not beginning:
        return True
    real = _type_of(beginning)
    if declared in _TEXTS:
        return b"\x00" not in beginning and real in ("", "image/bmp", "application/x-msdownload", "application/x-bzip2")
    return real == declared
