"""What a document is: the root, the payload and MsgInfo/Type must name one kind of message together."""

from __future__ import annotations

import pytest
from edits import ADMITTED, RECEIPT, edited, nowhere

import fixtures
from messaging.documents import Catalogue, Validator
from messaging.model.faults import FaultCode

EVENT = ("pl:MeldingInnlagtPasient", "pl:OrienteringOmDod")


def codes(validator: Validator, content: bytes) -> set[str]:
    return {fault.code.value for fault in validator.judge(content).faults}


@pytest.mark.parametrize("name", fixtures.valid())
def test_a_valid_document_has_its_kind_and_version(name: str, validator: Validator) -> None:
    verdict = validator.judge(fixtures.read(name))
    assert verdict.kind is not None
    assert verdict.envelope is not None
    assert (verdict.kind.type, verdict.kind.version) == (verdict.envelope.type, verdict.envelope.version)
    assert verdict.envelope.namespace == verdict.kind.namespace
    assert validator.kind_of(fixtures.read(name)) == verdict.kind


def test_every_kind_of_the_catalogue_has_a_valid_document(catalogue: Catalogue, validator: Validator) -> None:
    assert {validator.kind_of(fixtures.read(name)) for name in fixtures.valid()} == set(catalogue.kinds)


@pytest.mark.parametrize(
    "content",
    [
        b"<a/>",
        b'<MsgHead xmlns="http://www.kith.no/xmlstds/msghead/2003-02-20"/>',
        b'<Pasientlogistikk xmlns="http://www.kith.no/xmlstds/po/Pasientlogistikk/2012-04-01"/>',
        b'<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"/>',
    ],
)
def test_a_root_that_is_no_message_is_t10_alone(content: bytes, validator: Validator) -> None:
    verdict = validator.judge(content)
    assert [fault.code for fault in verdict.faults] == [FaultCode.T10]
    assert verdict.envelope is None


def test_a_payload_of_an_unknown_namespace_is_t10_and_no_schema_error(validator: Validator) -> None:
    verdict = validator.judge(edited(ADMITTED, ("po/Pasientlogistikk/2012-04-01", "po/Pasientlogistikk/2031-01-01")))
    assert [fault.code for fault in verdict.faults] == [FaultCode.T10]
    assert "Pasientlogistikk 1.5, 1.6, 2.0" in verdict.faults[0].text
    assert verdict.faults[0].path == "/MsgHead/Document/RefDoc/Content/Pasientlogistikk"
    assert verdict.kind is None
    assert verdict.envelope is not None
    assert verdict.envelope.type == "LOG_INNLAGT"


def test_a_payload_whose_schema_is_known_but_which_is_no_message_is_t10(validator: Validator) -> None:
    container = '<b:Base64Container xmlns:b="http://www.kith.no/xmlstds/base64container">AAAA</b:Base64Container>'
    content = nowhere(ADMITTED, "<pl:Pasientlogistikk", "</pl:Pasientlogistikk>")
    content = edited(content, ("<Content>", f"<Content>{container}"))
    assert codes(validator, content) == {"T10"}
    assert validator.judge(content, schema_only=True).accepted


def test_two_payloads_are_one_too_many(validator: Validator) -> None:
    payload = ADMITTED.decode().partition("<Content>")[2].partition("</Content>")[0]
    content = edited(ADMITTED, ("</Content>", payload + "</Content>"))
    verdict = validator.judge(content)
    assert [fault.code for fault in verdict.faults] == [FaultCode.T10]
    assert verdict.faults[0].path == "/MsgHead/Document/RefDoc/Content/Pasientlogistikk[2]"
    assert validator.judge(content, schema_only=True).accepted


@pytest.mark.parametrize("missing", ["<Content>", "<RefDoc>", "<Document>"])
def test_a_message_without_payload_is_t10(missing: str, validator: Validator) -> None:
    content = nowhere(ADMITTED, missing, missing.replace("<", "</"))
    assert "T10" in codes(validator, content)


@pytest.mark.parametrize("named", ["LOG_DOD", "EPIKRISE", "XXX", "log_innlagt", ""])
def test_a_type_that_the_payload_is_not_is_t10_and_says_what_it_is(named: str, validator: Validator) -> None:
    content = edited(ADMITTED, ('Type V="LOG_INNLAGT"', f'Type V="{named}"'))
    (fault,) = validator.judge(content).faults
    assert fault.code is FaultCode.T10
    assert fault.path == "/MsgHead/MsgInfo/Type"
    assert "expected V to be LOG_INNLAGT." in fault.text
    assert validator.judge(content, schema_only=True).accepted


def test_the_event_inside_the_payload_decides(validator: Validator) -> None:
    content = edited(ADMITTED, EVENT, times=2)
    (fault,) = validator.judge(content).faults
    assert "expected V to be LOG_DOD." in fault.text


def test_one_payload_may_serve_several_types(validator: Validator) -> None:
    report = fixtures.read("valid/plo/1.6/utskrivningsrapport_n.xml")
    birth = edited(report, ('Type V="UTSKRIVNINGSRAPPORT"', 'Type V="FODSELS_EPIKRISE"'))
    kind = validator.judge(birth).kind
    assert kind is not None
    assert kind.type == "FODSELS_EPIKRISE"


def test_a_type_and_a_schema_error_are_told_together(validator: Validator) -> None:
    content = edited(ADMITTED, ('Type V="LOG_INNLAGT"', 'Type V="XXX"'), ("<Anslag>false", "<Anslag>kanskje"))
    assert codes(validator, content) == {"T10", "T02"}


def test_a_receipt_is_known_by_its_root(validator: Validator) -> None:
    kind = validator.kind_of(RECEIPT)
    assert kind is not None
    assert (kind.type, kind.version, kind.envelope, kind.apprec) == ("APPREC", "1.1", "apprec", "")


def test_what_cannot_be_read_is_of_no_kind(validator: Validator) -> None:
    assert validator.kind_of(b"<a>") is None
    assert validator.kind_of(b"<a/>") is None
