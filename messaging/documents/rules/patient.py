"""Whom it is about: the patient can be known (HITS 1168, HIS 80415)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from messaging.documents import names
from messaging.documents.document import Document
from messaging.documents.names import local, namespace_of, qualified
from messaging.documents.reader import Element
from messaging.documents.rules.declaration import Finding, rule
from messaging.documents.tree import attribute, child, child_named, every_child, text
from messaging.model.faults import FaultCode
from messaging.model.rules import RuleName, Severity

_NUMBERS = frozenset({"FNR", "DNR", "FHN"})
"""The identifiers that, with a name, are enough; an H-number means something only where it was given."""
_NAMES = frozenset({"FamilyName", "GivenName", "Name"})
_TELLING = _NAMES | {"DateOfBirth", "Sex", "OffId", "TypeOffId"}
_ABOUT_A_MESSAGE = frozenset({"DIALOG_AVVIK"})
"""Types that are about a message that was received, and not about a patient."""
_REFERRALS = frozenset({"H", "HENVISNING", "HENVISNING_NYTILSTAND", "HENVISNING_VIDERE"})
_EMERGENCY = "0"
"""ReqServ/Priority: øyeblikkelig hjelp."""
_SOURCE = "HITS 1168; HIS 80415; official system test 24"


@rule(
    RuleName.PATIENT,
    FaultCode.E36,
    Severity.REJECT,
    source=_SOURCE,
    english="The patient is not sufficiently identified; expected a name, and with it a fødselsnummer (FNR), a "
    "D-nummer (DNR), a felles hjelpenummer (FHN), or date of birth and sex.",
    norwegian="Pasienten er ikke tilstrekkelig identifisert; det skal være navn, og i tillegg fødselsnummer (FNR), "
    "D-nummer (DNR), felles hjelpenummer (FHN), eller fødselsdato og kjønn.",
)
def patient_is_identified(document: Document) -> Iterator[Finding]:
    """The patient has a name, and a national number or date of birth and sex; never asked of an emergency referral."""
    if _unidentified(document) and not _is_emergency(document):
        yield Finding(document.nearest(*document.layout.patient))


@rule(
    RuleName.PATIENT_IN_EMERGENCY,
    FaultCode.E36,
    Severity.WARN,
    source=f"{_SOURCE}; a referral in an emergency is always taken",
    english="The patient of this referral in an emergency is not sufficiently identified; it goes on all the same.",
    norwegian="Pasienten i denne øyeblikkelig hjelp-henvisningen er ikke tilstrekkelig identifisert; den går videre "
    "likevel.",
)
def patient_in_emergency_is_identified(document: Document) -> Iterator[Finding]:
    """The patient of an emergency referral should be identified too; without it the referral goes on all the same."""
    if _is_emergency(document) and _unidentified(document):
        yield Finding(document.nearest(*document.layout.patient))


def _unidentified(document: Document) -> bool:
    if not document.layout.patient or document.envelope.type in _ABOUT_A_MESSAGE:
        return False
    patient = document.find(*document.layout.patient)
    if patient is None:
        return True
    said = {
        name: part
        for part in patient
        if (name := local(str(part.tag))) in _TELLING and (text(part) or attribute(part, names.V))
    }
    is_known = ("DateOfBirth" in said and "Sex" in said) or _has_number(patient, said)
    return not is_known or said.keys().isdisjoint(_NAMES)


def _has_number(patient: Element, said: Mapping[str, Element]) -> bool:
    """Tell whether there is a national number; an official id whose type is not told counts as one."""
    namespace = namespace_of(str(patient.tag))
    official = attribute(said.get("TypeOffId"), names.V) or "FNR"
    if "OffId" in said and official in _NUMBERS:
        return True
    return any(
        text(child(ident, qualified(namespace, "Id")))
        and attribute(child(ident, qualified(namespace, type_name)), names.V) in _NUMBERS
        for name, type_name in (("Ident", "TypeId"), ("AdditionalId", "Type"))
        for ident in every_child(patient, qualified(namespace, name))
    )


def _is_emergency(document: Document) -> bool:
    if document.envelope.type not in _REFERRALS:
        return False
    return attribute(child_named(document.content, "ReqServ", "Priority"), names.V) == _EMERGENCY
