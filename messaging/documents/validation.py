"""The judgement of a document: its form, its schema, its kind, and the rules; every fault at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from lxml import etree

from messaging.documents.catalogue import Catalogue, MessageKind
from messaging.documents.describe import MOST_DESCRIBED, at_most, describe
from messaging.documents.document import Document
from messaging.documents.envelope import envelope_of
from messaging.documents.reader import Element, read
from messaging.documents.rules import faults_of
from messaging.documents.rules.kind import recognise
from messaging.model.faults import Fault, FaultCode
from messaging.model.message import Envelope


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is found of a document: its faults, at most MOST_FAULTS, and what could be read of it in spite of them."""

    faults: tuple[Fault, ...]
    envelope: Envelope | None = None
    kind: MessageKind | None = None

    @property
    def accepted(self) -> bool:
        """Whether the document has no fault."""
        return not self.faults


class Validator:
    """Judges documents; may be called from any number of threads at once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._idle: deque[etree.XMLSchema] = deque([catalogue.compile()])
        self._vocabulary = catalogue.vocabulary

    def judge(self, content: bytes, *, schema_only: bool = False) -> Verdict:
        """Find every fault of a document; never raises for what the document holds.

        With `schema_only` the verdict is that of the schemas alone: any global element may be the root, and no rule
        is held.
        """
        tree = read(content)
        if isinstance(tree, Fault):
            return Verdict((tree,))
        recognised = recognise(tree.root, self.catalogue)
        envelope = envelope_of(tree.root, recognised.kind)
        faults: tuple[Fault, ...] = ()
        untold = 0
        if schema_only or recognised.in_schema:
            faults, untold = self._schema_faults(tree.root)
        if not schema_only:
            faults = recognised.faults + faults
            if envelope is not None:
                faults += faults_of(Document(tree.root, envelope, self._vocabulary))
        return Verdict(at_most(_in_order(faults), untold=untold), envelope, recognised.kind)

    def kind_of(self, content: bytes) -> MessageKind | None:
        """Tell what kind of message a document is; None when it cannot be read or is no kind that is taken."""
        tree = read(content)
        return None if isinstance(tree, Fault) else recognise(tree.root, self.catalogue).kind

    def _schema_faults(self, root: Element) -> tuple[tuple[Fault, ...], int]:
        """Hold a document against the schemas: the faults, and how many errors more there are than were described."""
        with self._schema() as schema:
            try:
                if schema.validate(root):
                    return (), 0
                errors = [*cast("Any", schema).error_log]
            except etree.XMLSchemaValidateError:
                text = "The document asks more of the schema check than it gives to one document."
                return (Fault(FaultCode.T02, text),), 0
        return describe(errors, root, self._vocabulary), max(0, len(errors) - MOST_DESCRIBED)

    @contextmanager
    def _schema(self) -> Iterator[etree.XMLSchema]:
        """Lend a compiled schema to one caller at a time: its error log is its own state.

        There are as many as callers have ever been at once.
        """
        try:
            schema = self._idle.pop()
        except IndexError:
            schema = self.catalogue.compile()
        try:
            yield schema
        finally:
            self._idle.append(schema)


def _in_order(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Put the faults in the order of their places, so that one reads them beside the document."""
    return tuple(sorted(dict.fromkeys(faults), key=lambda fault: fault.line or 0))
