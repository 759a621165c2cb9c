"""What judging costs: reading, schemas and every rule. `python -m benchmarks.judge`; prints, and asserts nothing."""

from __future__ import annotations

import base64
import resource
import sys
import time
from collections.abc import Callable

import fixtures
from messaging.documents import Catalogue, Validator
from messaging.documents.reader import Tree, read
from messaging.model.clock import system_clock

_SMALL = 8_000
_LARGE = 30_000_000
_ROUNDS = 1_000
_TIMES = 5
"""Calls in a round: a round so short seldom has anything else of the machine in it."""
_PDF = b"%PDF-1.4\n"


def main() -> None:
    """Print the cost of an 8 kB message and of a 30 MB one, in processor time of one core."""
    validator = Validator(Catalogue.load(), clock=system_clock)
    name = min(fixtures.valid(), key=lambda name: abs(len(fixtures.read(name)) - _SMALL))
    small = fixtures.read(name)
    tree = read(small)
    assert isinstance(tree, Tree)  # noqa: S101 - it is a valid document
    schema = validator.catalogue.compile()
    print(f"{name}: {len(small)} bytes")
    for what, act in (
        ("reading", lambda: read(small)),
        ("schemas alone", lambda: schema.validate(tree.root)),
        ("reading, schemas, all rules", lambda: validator.judge(small)),
        ("reading and schemas, no rule", lambda: validator.judge(small, schema_only=True)),
    ):
        print(f"  {what:32} {_fastest(act) * 1e3:8.3f} ms")
    before = _peak()
    content = large()
    start = time.process_time()
    accepted = validator.judge(content).accepted
    took = time.process_time() - start
    grown = (_peak() - before) / len(content)
    print(f"{len(content) / 1e6:.0f} MB with attachments, accepted: {accepted}")
    print(f"  {'reading, schemas, all rules':32} {took * 1e3:8.0f} ms")
    print(f"  {'memory at most':32} {grown:8.1f} times its size, itself included")


def large() -> bytes:
    """Make a message with six PDFs of 5 MB as Base64 with line breaks."""
    message = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
    size = _LARGE // 6 * 3 // 4
    attachment = (
        b'<Document><RefDoc><MsgType V="A" DN="Vedlegg"/><MimeType>application/pdf</MimeType><Content>'
        b'<b:Base64Container xmlns:b="http://www.kith.no/xmlstds/base64container">%s</b:Base64Container>'
        b"</Content></RefDoc></Document>" % base64.encodebytes(_PDF + bytes(size))
    )
    return message.replace(b"</MsgHead>", 6 * attachment + b"</MsgHead>")


def _fastest(act: Callable[[], object]) -> float:
    """Measure seconds of processor time for one call: the mean of the best of many short rounds."""
    rounds = []
    for _ in range(_ROUNDS):
        start = time.thread_time()
        for _ in range(_TIMES):
            act()
        rounds.append((time.thread_time() - start) / _TIMES)
    return min(rounds)


def _peak() -> int:
    """Tell the most memory that this process has held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
