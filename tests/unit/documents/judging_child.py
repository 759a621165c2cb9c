"""Judges documents in a process of its own, so that one can watch from outside what it opens: a script for strace.

Documents come as frames on standard input, and the answer is one line of JSON. Between two files that do not exist,
whose names mark the trace, nothing may be opened. With `--dangerously` they are parsed as nobody should.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path

BEGIN, END = "/begin-of-judging", "/end-of-judging"
LENGTH = 8


def framed(documents: Iterable[bytes]) -> bytes:
    return b"".join(len(one).to_bytes(LENGTH, "big") + one for one in documents)


def _documents() -> list[bytes]:
    content, at, found = sys.stdin.buffer.read(), 0, []
    while at < len(content):
        size = int.from_bytes(content[at : at + LENGTH], "big")
        found.append(content[at + LENGTH : at + LENGTH + size])
        at += LENGTH + size
    return found


def _mark(name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.close(os.open(name, os.O_RDONLY))


def _parse_dangerously(documents: Iterable[bytes]) -> None:
    from lxml import etree

    for one in documents:
        with contextlib.suppress(etree.LxmlError):
            etree.fromstring(one, etree.XMLParser(load_dtd=True, resolve_entities=True, no_network=False))


def main() -> None:
    """Warm up on what the project itself ships, then judge what came, and say how long it took and how much it grew."""
    import fixtures
    from messaging.documents import Catalogue, Validator

    documents = _documents()
    if "--dangerously" in sys.argv:
        _mark(BEGIN)
        _parse_dangerously(documents)
        _mark(END)
        return
    validator = Validator(Catalogue.load())
    for name in fixtures.valid() + fixtures.invalid():
        validator.judge(fixtures.read(name))
    validator.judge(b"<a>" + b" " * 100_000 + b"</a>")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took, accepted = [], 0
    _mark(BEGIN)
    for one in documents:
        begun = time.process_time()
        accepted += validator.judge(one).accepted
        took.append(time.process_time() - begun)
    _mark(END)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown
    print(json.dumps({"took": took, "accepted": accepted, "grown_kilobytes": grown}))  # noqa: T201 - a script


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))
    main()
