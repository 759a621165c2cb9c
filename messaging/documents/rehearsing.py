"""Validation by schemas that are not ours, tried in a process that may be killed: some patterns never come to an end.

It takes frames: first a schema that imports all others, then documents. To the schema it answers `null`, to a document
how many seconds of the processor its validation took.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from io import BytesIO

from lxml import etree

from messaging.documents.apart import limit, next_frame
from messaging.documents.reader import Tree, read
from messaging.model.limits import AS_KEPT

_SECONDS_TO_LOAD = 20
_SECONDS_A_DOCUMENT = 3


def main() -> int:
    """Serve until standard input ends."""
    limit(seconds=_SECONDS_TO_LOAD)
    schema = etree.XMLSchema(file=BytesIO(next_frame(sys.stdin.buffer)))
    _answer(None)
    while content := next_frame(sys.stdin.buffer):
        limit(seconds=_SECONDS_A_DOCUMENT)
        tree = read(content, AS_KEPT)
        begun = time.process_time()
        if isinstance(tree, Tree):
            with suppress(etree.XMLSchemaValidateError):  # libxml2 gave up by itself, which it will do again
                schema.validate(tree.root)
        _answer(time.process_time() - begun)
    return 0


def _answer(seconds: float | None) -> None:
    sys.stdout.write(json.dumps(seconds) + "\n")
    sys.stdout.flush()
