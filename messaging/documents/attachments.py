"""Attachments (vedlegg, HIS 1036): where a document carries them, and what it says that they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from messaging.documents.names import BASE64_CONTAINER, V, local, namespace_of, qualified
from messaging.documents.reader import Element
from messaging.documents.tree import attribute, child, first_of_each, text

_ALSO_CALLED = {
    "application/x-pdf": "application/pdf",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/tif": "image/tiff",
    "text/rtf": "application/rtf",
}
_TYPE_ATTACHMENT = "A"
"""RefDoc/MsgType of an attachment (list 8114)."""


class Attachment(NamedTuple):
    """One attachment, by its RefDoc."""

    place: Element
    declared: str
    """The MIME type in small letters, without parameters; empty when there is none."""
    container: Element | None
    refers_elsewhere: bool
    compressed: bool


def attachments_of(root: Element) -> Iterator[Attachment]:
    """Go through every RefDoc that is an attachment, or that carries Base64."""
    namespace = namespace_of(str(root.tag))
    for place in root.iter(qualified(namespace, "RefDoc")):
        inside = first_of_each(place)
        container = child(inside.get(qualified(namespace, "Content")), BASE64_CONTAINER)
        kind = inside.get(qualified(namespace, "MsgType"))
        if container is not None or attribute(kind, V) == _TYPE_ATTACHMENT:
            parts = {local(tag): part for tag, part in inside.items()}
            mime = text(parts.get("MimeType")).partition(";")[0].strip().lower()
            mime = _ALSO_CALLED.get(mime, mime)
            yield Attachment(place, mime, container, "FileReference" in parts, "Compression" in parts)
