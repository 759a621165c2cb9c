"""xmlschema at work in a process of its own: it reads documents on standard input, and answers where each goes wrong.

It takes frames: first a schema that imports all others, then documents. To each it answers one line of JSON: to the
schema `null`, to a document what it found. An answer names places by
position, and names and types that the schemas spell: nothing of what the document says.
"""

from __future__ import annotations

import json
import sys
from itertools import islice
from typing import Any

from xmlschema import XMLSchema
from xmlschema.validators import XsdElement, XsdType
from xmlschema.validators.exceptions import (
    XMLSchemaChildrenValidationError,
    XMLSchemaDecodeError,
    XMLSchemaValidationError,
)

from messaging.documents.apart import limit, next_frame
from messaging.documents.reader import Element, Tree, read
from messaging.documents.tree import positions
from messaging.model.limits import AS_KEPT

MOST_FOUND = 200
"""So many errors are told."""

_SECONDS_TO_LOAD = 20
_SECONDS_A_DOCUMENT = 3


def main() -> int:
    """Serve until standard input ends."""
    limit(seconds=_SECONDS_TO_LOAD)
    schema = XMLSchema(next_frame(sys.stdin.buffer).decode(), defuse="always", allow="local", validation="lax")
    sys.addaudithook(_refuse)
    _answer(None)
    while content := next_frame(sys.stdin.buffer):
        limit(seconds=_SECONDS_A_DOCUMENT)
        tree = read(content, AS_KEPT)
        errors = schema.iter_errors(tree.root) if isinstance(tree, Tree) else iter(())
        _answer([told for error in islice(errors, MOST_FOUND) if (told := _told(error))])
    return 0


def _answer(found: list[dict[str, Any]] | None) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def _refuse(event: str, _: tuple[object, ...]) -> None:
    """Let Python open nothing more; a second wall, since nothing here asks for it."""
    if event.startswith(("socket.", "subprocess.", "os.")) or event == "open":
        raise PermissionError(event)


def _told(error: XMLSchemaValidationError) -> dict[str, Any] | None:
    """Say where, and what was expected there; None when the error is about no element."""
    element: Any = error.elem if error.elem is not None else error.obj
    expected: list[str] = []
    kind = "other"
    if isinstance(error, XMLSchemaChildrenValidationError):
        expected = [one.name for one in error.expected or () if isinstance(one, XsdElement) and one.name]
        kind = "incomplete"
        if error.index < len(element):
            kind, element = "unexpected", element[error.index]
    elif isinstance(error, XMLSchemaDecodeError) and isinstance(error.validator, XsdType):
        kind, expected = "value", [error.validator.local_name or ""]
    if not isinstance(element, Element) or not isinstance(element.tag, str):
        return None
    return {"at": positions(element), "kind": kind, "expected": expected}
