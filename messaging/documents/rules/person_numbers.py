"""Numbers of persons: date and check digits of fødselsnummer, D-nummer, H-nummer and felles hjelpenummer (HIS 1001)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import mul

from messaging.documents.document import Document
from messaging.documents.names import local
from messaging.documents.reader import Element
from messaging.documents.rules.declaration import Finding, as_one, rule
from messaging.documents.tree import text
from messaging.model.faults import FaultCode
from messaging.model.rules import RuleName, Severity

_KINDS = {
    "FNR": "fødselsnummer",
    "DNR": "D-nummer",
    "HNR": "H-nummer",
    "FHN": "felles hjelpenummer",
}
_ID_OF = {"TypeId": "Id", "TypeOffId": "OffId", "Type": "Id"}
"""Beside which element of type the number itself stands."""

_FORM = re.compile(r"[0-9]{11}")
_WEIGHTS = ((3, 7, 6, 1, 8, 9, 4, 5, 2, 1, 0), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1))
_SYNTHETIC = (0, 40, 65, 80)
"""What is added to the month: nothing, or as synthetic series do (Dolly 40, NHN and Nav 65, Tenor 80)."""
_LOCAL = 40
"""What an H-nummer adds to the month, and a D-nummer to the day."""
_MONTHS = range(1, 13)
_DAYS = range(1, 32)


@rule(
    RuleName.PERSON_NUMBERS,
    FaultCode.E31,
    Severity.WARN,
    source="HIS 1001 (syntax and check digits)",
    english="The number is no valid {kind}: its date or its check digits do not fit; look for a slip of the pen.",
    norwegian="Nummeret er ikke et gyldig {kind}: datoen eller kontrollsifrene stemmer ikke; se etter en skrivefeil.",
)
def person_numbers_are_right(document: Document) -> Iterator[Finding]:
    """Numbers of persons have 11 digits, a date and two check digits that fit; synthetic series are taken too."""
    wrong: dict[str, list[Element]] = {}
    for coded in document.found.coded:
        if coded.code in _KINDS and coded.name in _ID_OF:
            number = coded.element.getprevious()
            while number is not None and local(str(number.tag)) != _ID_OF[coded.name]:
                number = number.getprevious()
            if number is not None and not is_valid(coded.code, text(number)):
                wrong.setdefault(_KINDS[coded.code], []).append(number)
    for kind, places in wrong.items():
        yield from as_one(places, {"kind": kind})


def is_valid(kind: str, number: str) -> bool:
    """Tell whether a number is one of its kind (FNR, DNR, HNR, FHN): 11 digits, date, check digits."""
    if not _FORM.fullmatch(number):
        return False
    digits = [*map(int, number)]
    if any(sum(map(mul, digits, weights)) % 11 for weights in _WEIGHTS):
        return False
    if kind == "FHN":
        return number[0] in "89"
    day, month = int(number[:2]) - (_LOCAL if kind == "DNR" else 0), int(number[2:4])
    added = (_LOCAL,) if kind == "HNR" else _SYNTHETIC
    return day in _DAYS and any(month - more in _MONTHS for more in added)
