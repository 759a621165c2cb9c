"""Documents of every size against the limit: `python -m benchmarks.sizes [URL] [--rounds 3] [--seconds 3]`.

The limit is the same server that reads and judges the same document and keeps nothing. What makes a document large is
attachments, as in life: random bytes as Base64, which do not compress. The larger they are, the fewer connections, so
that what is measured is the server and not its waiting room. `URL` is that of a PostgreSQL server; without it SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import random
from statistics import median
from typing import Any

from benchmarks.load import document_of, drive, posts
from benchmarks.table import _named, _serving

_SIZES = ((4_000, 32), (18_000, 32), (100_000, 32), (2_000_000, 8), (30_000_000, 2))
"""Bytes, and connections."""
_ACCEPTED = 202
_LARGEST_PIECE = 5_000_000
_LINE = 77 / 57
"""How much longer Base64 with line breaks is."""
_PART = (
    b'<Document><RefDoc><MsgType V="A" DN="Vedlegg"/><MimeType>application/pdf</MimeType><Content>'
    b'<b:Base64Container xmlns:b="http://www.kith.no/xmlstds/base64container">%s</b:Base64Container>'
    b"</Content></RefDoc></Document>"
)


def document(size: int) -> bytes:
    """Make a document of about so many bytes out of the fixture that comes nearest from below."""
    _, content = document_of(min(size, 14_000))
    left, parts, draw = size - len(content), b"", random.Random(size)  # noqa: S311 - no secret
    while left > 2 * len(_PART):
        piece = min(left, _LARGEST_PIECE)
        parts += _PART % base64.encodebytes(b"%PDF-1.4\n" + draw.randbytes(int((piece - len(_PART)) / _LINE)))
        left -= piece
    return content.replace(b"</MsgHead>", parts + b"</MsgHead>")


def _per_second(told: dict[str, Any], content: bytes, connections: int, seconds: float) -> float:
    make = posts("/documents", {"Authorization": f"Bearer {told['key']}"}, content)
    for length in (seconds / 4, seconds):
        answers = asyncio.run(drive(told["host"], told["port"], make, connections=connections, seconds=length))
        if set(answers.statuses) != {_ACCEPTED}:
            raise SystemExit(f"not every document was accepted: {dict(answers.statuses)}")
    return answers.per_second(_ACCEPTED)


def main() -> None:
    """Measure each size, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url", nargs="?", default="sqlite")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    asked = parser.parse_args()
    url = "" if asked.url == "sqlite" else asked.url
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(f"{'bytes':>10} {'connections':>11} {'accepted/s':>11} {'judged/s':>9} {'ratio':>6}   {_named(url)}")
    for size, connections in _SIZES:
        content, ours, limits = document(size), [], []
        for _ in range(asked.rounds):
            with _serving(url) as told:
                ours.append(_per_second(told, content, connections, asked.seconds))
            with _serving(url, ("keeping",)) as told:
                limits.append(_per_second(told, content, connections, asked.seconds))
        ratio = median(one / limit for one, limit in zip(ours, limits, strict=True))
        print(
            f"{len(content):>10} {connections:>11} {median(ours):>11.1f} {median(limits):>9.1f} {ratio:>6.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
