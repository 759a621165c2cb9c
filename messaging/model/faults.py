"""What can be wrong with a document: the one list of fault codes (list 8221) and the value that names a place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from messaging.model.rules import RuleName, Severity


class Language(StrEnum):
    """The languages that a fault can be told in."""

    ENGLISH = "en"
    NORWEGIAN = "no"


class FaultCode(StrEnum):
    """A code of list 8221 (AppRec errors, OID 2.16.578.1.12.4.1.1.8221) that the exchange itself may give."""

    T01 = "T01"
    """The document cannot be read as XML: not well-formed, cut off, wrong encoding, or with a DOCTYPE."""
    T02 = "T02"
    """The document is XML, and does not follow its schema."""
    T10 = "T10"
    """The message format, its version, or the combination of type and payload is not one we support."""
    T99 = "T99"
    """Something else about the format, such as an attachment of a kind that is not taken."""
    S01 = "S01"
    """The signature is wrong, or missing where one is asked for."""
    S02 = "S02"
    """The certificate that signed is not trusted, not in force, or of another organisation than the sender."""
    S03 = "S03"
    """The certificate that signed has been revoked."""
    E10 = "E10"
    """The message id is missing, or is no UUID."""
    E21 = "E21"
    """The receiver is not known."""
    E31 = "E31"
    """The patient's number is wrong; only where an operator has chosen that it stops a message."""
    E36 = "E36"
    """The patient is not sufficiently identified."""
    X99 = "X99"
    """Something else; the text says what."""


TEXTS: dict[FaultCode, str] = {
    FaultCode.T01: "Ikke XML / ikke 'well formed' / uleselig",
    FaultCode.T02: "XML validerer ikke",
    FaultCode.T10: "Støtter ikke meldingsformatet",
    FaultCode.T99: "Annen feil på format",
    FaultCode.S01: "Feil på signatur",
    FaultCode.S02: "Ugyldig sertifikat",
    FaultCode.S03: "Tilbaketrukket sertifikat",
    FaultCode.E10: "Ugyldig meldingsidentifikator",
    FaultCode.E21: "Mottaker finnes ikke",
    FaultCode.E31: "Pasientens fødselsnummer er feil",
    FaultCode.E36: "Pasientopplysninger er utilstrekkelige",
    FaultCode.X99: "Annen feil",
}
"""The Norwegian name of each code, as it stands in an AppRec's DN."""

MOST_FAULTS = 50
"""So many faults of one document are told; the rest are counted."""

_LINE = {Language.ENGLISH: "line", Language.NORWEGIAN: "linje"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a document: what, where, and what was expected; never the offending value.

    `text` is English and `norwegian` the same in Norwegian; `rule` is the rule that found it, None where form, schema
    or kind did; `source` names the standard. The code of a warning is the name of its rule: a code of list 8221 stands
    for what stops a message.
    """

    code: FaultCode | RuleName
    text: str
    line: int | None = None
    path: str | None = None
    column: int | None = None
    norwegian: str = ""
    rule: RuleName | None = None
    severity: Severity = Severity.REJECT
    source: str = ""

    def text_in(self, language: Language) -> str:
        """Give the text in a language; in English where there is no Norwegian one."""
        return self.norwegian or self.text if language is Language.NORWEGIAN else self.text

    def sentence(self, language: Language = Language.ENGLISH) -> str:
        """Say it in one line, for a problem document or a terminal."""
        text = self.text_in(language)
        place = ", ".join(filter(None, (f"{_LINE[language]} {self.line}" if self.line else "", self.path)))
        return f"{self.code.value}: {text} ({place})" if place else f"{self.code.value}: {text}"
