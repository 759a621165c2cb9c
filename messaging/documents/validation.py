"""The judgement of a document: its form, its schema, its kind, and the rules; every fault at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

from lxml import etree

from messaging.documents.apprec import Original
from messaging.documents.catalogue import Catalogue, MessageKind
from messaging.documents.codelists import CodeLists
from messaging.documents.describe import MOST_DESCRIBED, at_most, describe
from messaging.documents.document import Document
from messaging.documents.envelope import envelope_of
from messaging.documents.names import SIGNATURE, local
from messaging.documents.norwegian import in_norwegian
from messaging.documents.patient_number import patient_number
from messaging.documents.reader import Element, Tree, read
from messaging.documents.rehearsal import Rehearsal
from messaging.documents.rules import faults_of
from messaging.documents.rules.kind import recognise
from messaging.documents.survey import Surveyor
from messaging.documents.tree import take_out
from messaging.documents.vocabulary import Vocabulary
from messaging.model.clock import Clock
from messaging.model.faults import Fault, FaultCode
from messaging.model.limits import Limits
from messaging.model.message import Envelope
from messaging.model.rules import RuleName, RulePolicy, Severity

Words = Callable[[Sequence[Any], Element, Vocabulary], tuple[Fault, ...]]
"""A way to put schema errors (lxml's log entries) of a document into words."""


_SOURCES: dict[FaultCode | RuleName, str] = {
    FaultCode.T01: "XML 1.0; HISD 1165",
    FaultCode.T02: "the schema (XSD) of the standard",
    FaultCode.T10: "HIS 80415; list 8279",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is found of a document, and what could be read of it in spite of that.

    `faults` stop it; `warnings` do not, and have the name of their rule for a code. Of each at most MOST_FAULTS.
    `patient` is the patient's national number in an accepted document, to be hashed and never shown.
    """

    faults: tuple[Fault, ...]
    envelope: Envelope | None = None
    kind: MessageKind | None = None
    warnings: tuple[Fault, ...] = ()
    patient: str = field(default="", repr=False)

    @property
    def accepted(self) -> bool:
        """Whether the document has no fault that stops it."""
        return not self.faults


class Validator:
    """Judges documents; may be called from any number of threads at once.

    `policy` says where rules are stricter or milder than they come, `codes` which code lists hold, and `clock` what
    time it is; without a clock no rule asks for the time. `limits` bound what is read at all.
    With `signed_receipts` an AppRec may carry a signature, for which its schema has no place.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        policy: RulePolicy | None = None,
        codes: CodeLists | None = None,
        clock: Clock | None = None,
        limits: Limits | None = None,
        signed_receipts: bool = False,
    ) -> None:
        self.catalogue = catalogue
        self._policy = policy or RulePolicy()
        self._codes = codes or CodeLists.shipped()
        self._clock = clock
        self._limits = limits or Limits()
        self._rehearsal = Rehearsal(catalogue) if catalogue.may_run_away else None
        self._signed_receipts = signed_receipts
        self._idle: deque[etree.XMLSchema] = deque([catalogue.compile()])
        self._vocabulary = catalogue.vocabulary
        self._surveyor = Surveyor(self._codes, self._vocabulary)

    @property
    def waits(self) -> bool:
        """Whether to judge may mean to wait for another process, however small the document is."""
        return self._rehearsal is not None

    def close(self) -> None:
        """End what runs beside us."""
        if self._rehearsal is not None:
            self._rehearsal.close()

    def judge(self, content: bytes, *, schema_only: bool = False, words: Words = describe) -> Verdict:
        """Find every fault of a document; never raises for what the document holds.

        With `schema_only` the verdict is that of the schemas alone: any global element may be the root, and no rule
        is held. `words` tells what the schemas find wrong.
        """
        tree = read(content, self._limits)
        if isinstance(tree, Fault):
            return Verdict((_told(tree),))
        if self._signed_receipts:
            _take_out_signature(tree.root)
        elements = [*tree.root.iter("{*}*")]  # held from here on: lxml makes anew what nobody holds
        recognised = recognise(tree.root, self.catalogue)
        envelope = envelope_of(tree.root, recognised.kind)
        faults: tuple[Fault, ...] = ()
        untold = 0
        if schema_only or recognised.in_schema:
            faults, untold = self._schema_faults(tree.root, words)
        warnings: tuple[Fault, ...] = ()
        if not schema_only:
            found = self._rule_faults(tree, elements, envelope, recognised.kind)
            faults = recognised.faults + faults + tuple(one for one in found if one.severity is Severity.REJECT)
            warnings = tuple(one for one in found if one.severity is Severity.WARN)
        told = tuple(map(_told, at_most(_in_order(faults), untold=untold)))
        patient = "" if told or envelope is None else patient_number(tree.root)
        return Verdict(told, envelope, recognised.kind, at_most(_in_order(warnings)), patient)

    def patient_of(self, content: bytes) -> str:
        """Tell the national number of the patient whom a document is about; empty when it names none."""
        tree = read(content, self._limits)
        return "" if isinstance(tree, Fault) else patient_number(tree.root)

    def kind_of(self, content: bytes | Original) -> MessageKind | None:
        """Tell what kind of message a document is; None when it cannot be read or is no kind that is taken."""
        tree = read(content, self._limits) if isinstance(content, bytes) else content
        return None if isinstance(tree, Fault) else recognise(tree.root, self.catalogue).kind

    def _rule_faults(
        self, tree: Tree, elements: Sequence[Element], envelope: Envelope | None, kind: MessageKind | None
    ) -> tuple[Fault, ...]:
        if envelope is None:
            return ()
        now = self._clock() if self._clock else None
        document = Document(
            tree.root,
            elements,
            envelope,
            self._vocabulary,
            kind,
            self._codes,
            self._surveyor,
            now=now,
            limits=self._limits,
            declares_encoding=tree.declares_encoding,
        )
        return faults_of(document, self._policy)

    def _schema_faults(self, root: Element, words: Words) -> tuple[tuple[Fault, ...], int]:
        """Hold a document against the schemas: the faults, and how many errors more there are than were described."""
        if self._rehearsal is not None and not self._rehearsal.ends_soon(etree.tostring(root, encoding="utf-8")):
            return (_asks_too_much(),), 0
        with self._schema() as schema:
            try:
                if schema.validate(root):
                    return (), 0
                errors = [*cast("Any", schema).error_log]
            except etree.XMLSchemaValidateError:
                return (_asks_too_much(),), 0
        return words(errors, root, self._vocabulary), max(0, len(errors) - MOST_DESCRIBED)

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


def _asks_too_much() -> Fault:
    return Fault(FaultCode.T02, "The document asks more of the schema check than it gives to one document.")


def _take_out_signature(root: Element) -> None:
    """Take the signature from an AppRec, so that its schema judges the rest."""
    if local(str(root.tag)) == "AppRec" and len(root) and root[-1].tag == SIGNATURE:
        take_out(root[-1])


def _told(fault: Fault) -> Fault:
    """Add the Norwegian words and the source to what form, kind and schema found; a rule brings its own."""
    if fault.norwegian:
        return fault
    return replace(fault, norwegian=in_norwegian(fault.text), source=_SOURCES.get(fault.code, fault.source))


def _in_order(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Put the faults in the order of their places, so that one reads them beside the document."""
    return tuple(sorted(dict.fromkeys(faults), key=lambda fault: fault.line or 0)) if faults else faults
