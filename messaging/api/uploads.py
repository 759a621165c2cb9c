"""A file from a page's form (multipart/form-data, RFC 7578), read from memory: none of it ever touches a disk."""

from __future__ import annotations

from email.message import Message
from email.parser import HeaderParser

_BREAK = b"\r\n"
_MOST_PARTS = 10
_LONGEST_HEAD = 4_096


def file_in(content_type: str, body: bytes, field: str) -> bytes | None:
    """Find the file that was chosen in a field of a form; None when there is none, or the body is no such form."""
    boundary = _boundary(content_type)
    if not boundary:
        return None
    parts = (_BREAK + body).split(_BREAK + b"--" + boundary, _MOST_PARTS)
    for part in parts[1:-1]:
        head, blank, content = part.partition(_BREAK + _BREAK)
        if blank and len(head) <= _LONGEST_HEAD and _is_file(head, field):
            return content
    return None


def _boundary(content_type: str) -> bytes:
    """Read the boundary; empty when the content is no form with files."""
    named = Message()
    named["Content-Type"] = content_type.replace("\r", " ").replace("\n", " ")
    boundary = named.get_boundary("")
    return boundary.encode("latin-1", "replace") if named.get_content_type() == "multipart/form-data" else b""


def _is_file(head: bytes, field: str) -> bool:
    """Tell whether a part is the field's file, and a file was chosen at all: browsers send an empty name for none."""
    said = HeaderParser().parsestr(head.decode("utf-8", "replace").strip())
    name = said.get_param("name", header="content-disposition")
    return name == field and bool(said.get_filename())
