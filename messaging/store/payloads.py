"""Documents at rest: the bytes exactly as received, compressed, in a format that names itself."""

from __future__ import annotations

import zlib

PLAIN = "plain"
DEFLATE = "deflate"

_WORTH_COMPRESSING = 200


def pack(content: bytes) -> tuple[str, bytes]:
    """Compress for keeping; returns the format's name and the bytes."""
    if len(content) < _WORTH_COMPRESSING:
        return PLAIN, content
    return DEFLATE, zlib.compress(content, 1)


def unpack(form: str, kept: bytes) -> bytes:
    """Give back the bytes that were packed."""
    match form:
        case "plain":
            return kept
        case "deflate":
            return zlib.decompress(kept)
        case _:
            raise ValueError(f"no payload format is called {form}")
