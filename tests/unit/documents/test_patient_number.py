"""Where documents say whom they are about."""

from __future__ import annotations

import pytest
from lxml import etree

import fixtures
from messaging.documents import Validator
from messaging.documents.patient_number import patient_number

MSGHEAD = "valid/plo/1.6/log_innlagt_n.xml"
FNR, DNR = "05073500186", "45073500105"


def in_msghead(idents: str) -> str:
    document = fixtures.read(MSGHEAD).decode()
    start, end = document.index("<Ident>", document.index("<Patient>")), document.index("</Patient>")
    address = document.index("<Address>", start)
    assert address < end
    return patient_number(etree.fromstring((document[:start] + idents + document[address:]).encode()))


def ident(number: str, kind: str) -> str:
    return f'<Ident><Id>{number}</Id><TypeId V="{kind}"/></Ident>'


@pytest.mark.parametrize(
    ("idents", "number"),
    [
        (ident(FNR, "FNR"), FNR),
        (ident(f"\n {FNR[:6]} {FNR[6:]} ", "FNR"), FNR),
        (ident(DNR, "DNR"), DNR),
        (ident("82345678901", "FHN"), "82345678901"),
        (ident("05473500186", "HNR"), "05473500186"),
        (ident("05473500186", "HNR") + ident(FNR, "FNR"), FNR),
        (ident("", "FNR") + ident(DNR, "DNR"), DNR),
        (ident("P-1234", "UID"), ""),
        ("<!-- none -->", ""),
    ],
)
def test_the_best_known_number_of_the_patient_is_read(idents: str, number: str) -> None:
    assert in_msghead(idents) == number


@pytest.mark.parametrize(
    ("change", "number"),
    [
        (("", ""), "11064700342"),
        (('<TypeOffId V="FNR"', "<!-- untold --><Other"), "11064700342"),
        (('<TypeOffId V="FNR"', '<TypeOffId V="PAS"'), ""),
    ],
)
def test_a_message_without_msghead_tells_it_in_its_own_way(change: tuple[str, str], number: str) -> None:
    document = fixtures.read("valid/henvisning/1.1/henvisning_m.xml").decode().replace(*change)
    assert patient_number(etree.fromstring(document.encode())) == number


def test_an_apprec_and_what_is_no_message_are_about_no_patient() -> None:
    for document in (fixtures.read("valid/apprec/1.1/apprec_ok.xml"), b"<other/>"):
        assert patient_number(etree.fromstring(document)) == ""


def test_a_verdict_carries_the_number_of_an_accepted_document_and_never_shows_it(validator: Validator) -> None:
    document = fixtures.read(MSGHEAD)
    verdict = validator.judge(document)
    assert verdict.patient == FNR == validator.patient_of(document)
    assert FNR not in repr(verdict)
    refused = validator.judge(document.replace(b"<GenDate>", b"<Gen/><GenDate>"))
    assert (refused.accepted, refused.patient) == (False, "")
    assert validator.patient_of(b"<cut off") == ""
