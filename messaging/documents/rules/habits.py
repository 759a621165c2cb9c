"""Habits of writing XML (HISD 1165) whose lack stops nobody, and costs somebody."""

from __future__ import annotations

import re
from collections.abc import Iterator

from messaging.documents.document import Document
from messaging.documents.rules.declaration import Finding, as_one, rule
from messaging.model.faults import FaultCode
from messaging.model.rules import RuleName, Severity

_SOURCE = "HISD 1165"
_SCHEMES = re.compile(r"(?:tel|fax|mailto|sms|https?):.+", re.DOTALL)


@rule(
    RuleName.ENCODING_DECLARED,
    FaultCode.T99,
    Severity.WARN,
    source=_SOURCE,
    english='The document does not declare its encoding; begin it with <?xml version="1.0" encoding="UTF-8"?>.',
    norwegian='Dokumentet oppgir ikke tegnsett; begynn det med <?xml version="1.0" encoding="UTF-8"?>.',
)
def encoding_is_declared(document: Document) -> Iterator[Finding]:
    """A document declares which encoding it is in."""
    if not document.declares_encoding:
        yield Finding(document.root)


@rule(
    RuleName.EMPTY_ELEMENTS,
    FaultCode.T99,
    Severity.WARN,
    source=_SOURCE,
    english="The element is empty; leave it out when it has nothing to say.",
    norwegian="Elementet er tomt; utelat det når det ikke har noe innhold.",
)
def no_element_is_empty(document: Document) -> Iterator[Finding]:
    """An element that has nothing to say is left out."""
    yield from as_one(document.found.empty)


@rule(
    RuleName.TRAILING_BLANKS,
    FaultCode.T99,
    Severity.WARN,
    source=_SOURCE,
    english="The text ends in blanks or line breaks; leave them out.",
    norwegian="Teksten slutter med blanke tegn eller linjeskift; utelat dem.",
)
def no_text_ends_in_blanks(document: Document) -> Iterator[Finding]:
    """A text has no blanks at its end."""
    yield from as_one(document.found.blank_at_end)


@rule(
    RuleName.TELECOM_ADDRESS,
    FaultCode.T99,
    Severity.WARN,
    source=_SOURCE,
    english="TeleAddress does not begin with tel:, fax: or mailto:, so that no system can use it.",
    norwegian="TeleAddress begynner ikke med tel:, fax: eller mailto:, slik at ingen systemer kan bruke den.",
)
def telecom_addresses_are_usable(document: Document) -> Iterator[Finding]:
    """A telephone number or e-mail address is written as a URL."""
    wrong = [c.element for c in document.found.coded if c.name == "TeleAddress" and not _SCHEMES.match(c.code)]
    yield from as_one(wrong)
