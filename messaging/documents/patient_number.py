"""The national number of the patient that a message is about: it is hashed at once, and kept in no column."""

from __future__ import annotations

from messaging.documents import names
from messaging.documents.names import local, namespace_of, qualified
from messaging.documents.reader import Element
from messaging.documents.roots import layout_of
from messaging.documents.tree import attribute, child, elements, text

_BEST_FIRST = ("FNR", "DNR", "FHN", "HNR")
"""Of several numbers the one that most systems know; an H-nummer is one hospital's own."""
_UNTOLD = "FNR"
"""What an official id is that does not tell its type."""
_TYPES = {"Ident": "TypeId", "AdditionalId": "Type"}


def patient_number(root: Element) -> str:
    """Read the patient's number without blanks: fødselsnummer, D-nummer, felles hjelpenummer, or else H-nummer.

    Empty where the message is about no patient, or gives none of these.
    """
    layout = layout_of(str(root.tag))
    if layout is None or not layout.patient:
        return ""
    namespace = namespace_of(str(root.tag))
    patient = child(root, *(qualified(namespace, name) for name in layout.patient))
    if patient is None:
        return ""
    numbers = _numbers(patient, namespace)
    return next((numbers[kind] for kind in _BEST_FIRST if numbers.get(kind)), "")


def _numbers(patient: Element, namespace: str) -> dict[str, str]:
    """Gather the numbers that stand right below the patient, the first of each type."""
    found: dict[str, str] = {}
    official, official_type = "", _UNTOLD
    for part in elements(patient):
        name = local(str(part.tag))
        if name in _TYPES:
            kind = attribute(child(part, qualified(namespace, _TYPES[name])), names.V)
            found.setdefault(kind, without_blanks(text(child(part, qualified(namespace, "Id")))))
        elif name == "OffId":
            official = without_blanks(text(part))
        elif name == "TypeOffId":
            official_type = attribute(part, names.V) or _UNTOLD
    if official:
        found[official_type] = official
    return found


def without_blanks(number: str) -> str:
    """Write a number as it is compared: people group its digits."""
    return "".join(number.split())
