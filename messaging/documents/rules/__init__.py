"""The rules that schemas cannot express: one module a subject, each rule a pure function from document to faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from messaging.documents.document import Document
from messaging.documents.rules.addressing import receiver_is_named, sender_is_named
from messaging.documents.rules.identity import message_id_is_given, references_fit
from messaging.documents.rules.receipts import receipt_status_is_known
from messaging.model.faults import Fault

Rule = Callable[[Document], Iterable[Fault]]

RULES: tuple[Rule, ...] = (
    message_id_is_given,
    references_fit,
    sender_is_named,
    receiver_is_named,
    receipt_status_is_known,
)
"""Every rule, in the order in which its faults are told."""


def faults_of(document: Document) -> tuple[Fault, ...]:
    """Hold a document against every rule."""
    return tuple(fault for rule in RULES for fault in rule(document))
