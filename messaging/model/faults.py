"""What can be wrong with a document: the one list of fault codes (list 8221) and the value that names a place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FaultCode(StrEnum):
    """A code of list 8221 (AppRec errors, OID 2.16.578.1.12.4.1.1.8221) that the exchange itself may give."""

    T01 = "T01"
    """The document cannot be read as XML: not well-formed, cut off, wrong encoding, or with a DOCTYPE."""
    T02 = "T02"
    """The document is XML, and does not follow its schema."""
    T10 = "T10"
    """The message format, its version, or the combination of type and payload is not one we support."""
    E10 = "E10"
    """The message id is missing."""
    E21 = "E21"
    """The receiver is not known."""
    X99 = "X99"
    """Something else; the text says what."""


TEXTS: dict[FaultCode, str] = {
    FaultCode.T01: "Ikke velformet eller uleselig",
    FaultCode.T02: "XML validerer ikke",
    FaultCode.T10: "Støtter ikke meldingsformatet",
    FaultCode.E10: "Ugyldig meldingsidentifikator",
    FaultCode.E21: "Mottaker finnes ikke hos mottaker",
    FaultCode.X99: "Annen feil",
}
"""The Norwegian name of each code, as it stands in an AppRec's DN."""

MOST_FAULTS = 50
"""So many faults of one document are told; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a document: what, where, and what was expected; never the offending value."""

    code: FaultCode
    text: str
    line: int | None = None
    path: str | None = None

    def sentence(self) -> str:
        """Say it in one line, for a problem document or a terminal."""
        place = ", ".join(part for part in (f"line {self.line}" if self.line else "", self.path or "") if part)
        return f"{self.code}: {self.text} ({place})" if place else f"{self.code}: {self.text}"
