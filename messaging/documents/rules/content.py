"""Whether what the message says fits the kind of message that it is: its codes, its status, its receivers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from messaging.documents import names
from messaging.documents.document import Document
from messaging.documents.msghead import dispatch_status
from messaging.documents.reader import Element
from messaging.documents.rules.declaration import Finding, Words, rule
from messaging.documents.tree import attribute
from messaging.model.faults import FaultCode
from messaging.model.rules import RuleName, Severity

_TO_ONE_RECEIVER = frozenset({"HENVISNING_NYTILSTAND", "HENVISNING_VIDERE"})


class _Demand(NamedTuple):
    """In messages of a type, an element of a name has each of some codes."""

    element: str
    list: int
    codes: tuple[str, ...]


_DEMANDS = {
    "LOG_INNLAGT": _Demand("Hendelsekode", 9121, ("1",)),
    "LOG_UTSKRIVNINGSKLAR": _Demand("Hendelsekode", 9121, ("1", "3")),
    "LOG_AVMELDING": _Demand("Hendelsekode", 9121, ("4",)),
    "LOG_UTSKREVET": _Demand("Hendelsekode", 9121, ("2",)),
    "LOG_DOD": _Demand("Hendelsekode", 9121, ("13",)),
    "UTSKRIVNINGSRAPPORT": _Demand("TypeInnhold", 9139, ("11",)),
    "FODSELS_EPIKRISE": _Demand("TypeInnhold", 9139, ("12",)),
}


@rule(
    RuleName.CONTENT_CODES,
    FaultCode.X99,
    Severity.WARN,
    source="HIS 1143 to HIS 1149 (profiles of HIS 80704); lists 9121 and 9139",
    english="In a message of this type, {element} has {codes} of list {list}.",
    norwegian="I en melding av denne typen har {element} {codes} fra kodeverk {list}.",
)
def content_fits_the_type(document: Document) -> Iterator[Finding]:
    """The events of Pasientlogistikk (9121) and the content of Utskrivningsrapport (9139) are those of the type."""
    demand = _DEMANDS.get(document.envelope.type)
    if demand is None or document.kind is None:
        return
    content = document.content
    if content is None:
        return
    places = list(content.iter(f"{{*}}{demand.element}"))
    missing = set(demand.codes) - {attribute(place, names.V) for place in places}
    if missing and _is_told(document, places):
        wanted = [f'V="{code}"' for code in demand.codes]
        codes = Words(" and ".join(wanted), " og ".join(wanted))
        words: dict[str, str | Words] = {"element": demand.element, "codes": codes, "list": str(demand.list)}
        yield Finding(places[0] if places else content, words)


def _is_told(document: Document, places: list[Element]) -> bool:
    """Tell whether the version at hand has a place for the code: 1.5 of Utskrivningsrapport may leave it out."""
    return bool(places) or document.envelope.type.startswith("LOG_")


@rule(
    RuleName.ONE_RECEIVER,
    FaultCode.X99,
    Severity.WARN,
    source="HIS 1207; HIS 1208",
    english="A referral of this type has exactly one receiver; send each further receiver a message of its own.",
    norwegian="En henvisning av denne typen har nøyaktig én mottaker; send hver ytterligere mottaker sin egen melding.",
)
def referral_has_one_receiver(document: Document) -> Iterator[Finding]:
    """Henvisning ny tilstand and Viderehenvisning have no OtherReceiver."""
    if document.envelope.type in _TO_ONE_RECEIVER:
        other = document.find("MsgInfo", "OtherReceiver")
        if other is not None:
            yield Finding(other)


@rule(
    RuleName.DISPATCH_STATUS,
    FaultCode.X99,
    Severity.WARN,
    source="HISD 1154; HIS 80704; HITS 1168: what a message means is no ground for a negative AppRec",
    english="Messages of this type cannot have this status; expected V to be {allowed} (N new, M changed, "
    "C cancelled).",
    norwegian="Meldinger av denne typen kan ikke ha denne statusen; V skal være {allowed} (N ny, M endring, "
    "C kansellering).",
)
def status_may_be_used(document: Document) -> Iterator[Finding]:
    """A message is new, changed or cancelled; a type that may not be changed is cancelled, and sent anew."""
    kind, status = document.kind, document.envelope.status
    if kind is None or not kind.statuses or (status is not None and status.value in kind.statuses):
        return
    place = dispatch_status(document.content)
    if place is not None and attribute(place, names.V):
        codes = list(kind.statuses)
        yield Finding(place, {"allowed": Words(_any_of(codes, "or"), _any_of(codes, "eller"))})


def _any_of(codes: list[str], word: str) -> str:
    return f" {word} ".join(filter(None, (", ".join(codes[:-1]), codes[-1])))
