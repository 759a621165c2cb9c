"""How a rule is declared: a pure function from document to findings, with its name, its code, its source, its words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from messaging.documents.document import Document
from messaging.documents.reader import Element
from messaging.documents.tree import line_of, path_of
from messaging.model.faults import Fault, FaultCode, Language
from messaging.model.rules import RuleName, Severity


class Words(NamedTuple):
    """The same words in both languages."""

    english: str
    norwegian: str

    def in_(self, language: Language) -> str:
        """Give them in one language."""
        return self.norwegian if language is Language.NORWEGIAN else self.english


_MORE = Words(" The same in {more} more places.", " Det samme {more} steder til.")
_ONE_MORE = Words(" The same in one more place.", " Det samme ett sted til.")


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a document breaks a rule; `words` fill the rule's text, and never come from the document.

    `more` counts further places where the same is wrong, which are not told one by one.
    """

    place: Element
    words: Mapping[str, str | Words] = field(default_factory=dict)
    more: int = 0


Check = Callable[[Document], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `code` is the code of list 8221 when it refuses a message, `source` the standard and its chapter.

    `demands` is the rule in a sentence; `text` is what the sender is told, with {places} that a finding fills.
    """

    name: RuleName
    code: FaultCode
    severity: Severity
    source: str
    demands: str
    text: Words
    check: Check

    def fault(self, document: Document, finding: Finding, severity: Severity) -> Fault:
        """Tell what a document breaks as severely as is asked."""
        return Fault(
            self.code if severity is Severity.REJECT else self.name,
            self._told(finding, Language.ENGLISH),
            line=line_of(finding.place),
            path=path_of(finding.place, document.vocabulary),
            norwegian=self._told(finding, Language.NORWEGIAN),
            rule=self.name,
            severity=severity,
            source=self.source,
        )

    def _told(self, finding: Finding, language: Language) -> str:
        words = {name: word.in_(language) if isinstance(word, Words) else word for name, word in finding.words.items()}
        text = self.text.in_(language).format(**words)
        if not finding.more:
            return text
        return text + (_ONE_MORE if finding.more == 1 else _MORE).in_(language).format(more=finding.more)


def rule(
    name: RuleName, code: FaultCode, severity: Severity, *, source: str, english: str, norwegian: str
) -> Callable[[Check], Rule]:
    """Declare the function below as a rule; the first sentence of its docstring says what it demands."""

    def declared(check: Check) -> Rule:
        demands = " ".join((check.__doc__ or "").split("\n\n")[0].split())
        return Rule(name, code, severity, source, demands, Words(english, norwegian), check)

    return declared


def as_one(places: Iterable[Element], words: Mapping[str, str | Words] | None = None) -> list[Finding]:
    """Make one finding of all the places where the same is wrong; none of none."""
    found = list(places)
    return [Finding(found[0], words or {}, len(found) - 1)] if found else []
