"""An AppRec that is written is valid, mirrors the addresses, and reads back as what it said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from edits import ADMITTED, RECEIPT, RECEIVER, REFERRAL, SENDER, TO_A_PERSON, edited
from lxml import etree

import fixtures
from messaging.documents import Validator, write_apprec
from messaging.errors import InvalidRequest
from messaging.model.message import Address, Envelope
from messaging.model.receipt import Receipt, ReceiptError, ReceiptStatus

VERSIONS = ["1.0", "1.1"]
OK = Receipt(ReceiptStatus.OK)
REFUSED = Receipt(
    ReceiptStatus.REJECTED,
    (
        ReceiptError("E21", "Mottaker finnes ikke hos mottaker", "Ukjent tjeneste & «avdeling»\r\nlinje 2 <b>"),
        ReceiptError("X99", oid="2.16.578.1.12.4.1.1.8221"),
    ),
)
COPY = (
    "<Patient>",
    (
        '<OtherReceiver><RoleReceiver V="COP"/><Organisation><OrganisationName>Kopi</OrganisationName>'
        '<Ident><Id>5</Id><TypeId V="HER" DN="HER-id"/></Ident></Organisation></OtherReceiver><Patient>'
    ),
)


def written(
    original: bytes, receipt: Receipt = OK, *, version: str = "1.1", answerer: int = RECEIVER, software: str = "Prøve"
) -> bytes:
    return write_apprec(
        original,
        receipt,
        version=version,
        answerer=answerer,
        msg_id="0b3f3f3a-94d5-4f4b-9c86-3c9b0d0f6a11",
        gen_date="2025-03-03T10:00:00+01:00",
        software=software,
        software_version="1.0",
    )


def read_back(validator: Validator, content: bytes) -> Envelope:
    verdict = validator.judge(content)
    assert [fault.sentence() for fault in verdict.faults] == []
    assert verdict.envelope is not None
    return verdict.envelope


def texts(content: bytes, path: str) -> list[str]:
    root = etree.fromstring(content)
    found = root.xpath("/*/" + "/".join(f"*[local-name()='{step}']" for step in path.split("/")))
    return [element.text or element.get("V") for element in found]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("receipt", [OK, REFUSED, Receipt(ReceiptStatus.OK_ERROR_IN_MESSAGE_PART, REFUSED.errors[:1])])
def test_a_receipt_reads_back_as_it_was_meant(version: str, receipt: Receipt, validator: Validator) -> None:
    envelope = read_back(validator, written(ADMITTED, receipt, version=version))
    assert envelope.version == version
    assert envelope.receipt == replace(
        receipt,
        original_msg_id="f2e28209-c1ef-5f9e-bca8-e3db824d553c",
        original_type="LOG_INNLAGT",
        original_gen_date="2025-03-03T09:05:12",
    )
    assert (envelope.msg_id, envelope.gen_date) == ("0b3f3f3a-94d5-4f4b-9c86-3c9b0d0f6a11", "2025-03-03T10:00:00+01:00")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [name for name in fixtures.valid() if "/apprec/" not in name])
def test_every_receiver_of_every_message_can_answer(version: str, name: str, validator: Validator) -> None:
    original = fixtures.read(name)
    asked = validator.judge(original).envelope
    assert asked is not None
    for receiver in asked.receivers:
        assert receiver.address.her_id is not None
        answer = read_back(validator, written(original, version=version, answerer=receiver.address.her_id))
        assert answer.sender == receiver.address
        assert [mirrored.address for mirrored in answer.receivers] == [asked.sender]


@pytest.mark.parametrize("version", VERSIONS)
def test_address_data_of_the_original_comes_back(version: str) -> None:
    content = written(TO_A_PERSON, version=version, answerer=8120001)
    assert texts(content, "Sender/HCP/Inst/Name") == ["Solvik legesenter"]
    assert texts(content, "Sender/HCP/Inst/Id") == ["8120000"]
    assert texts(content, "Sender/HCP/Inst/TypeId") == ["HER"]
    assert texts(content, "Sender/HCP/Inst/AdditionalId/Id") == ["100000024"]
    assert texts(content, "Sender/HCP/Inst/AdditionalId/Type") == ["ENH"]
    assert texts(content, "Sender/HCP/Inst/HCPerson/Name") == ["Rita Lin"]
    assert texts(content, "Sender/HCP/Inst/HCPerson/Id") == ["8120001"], "the HER-id goes first"
    assert texts(content, "Sender/HCP/Inst/HCPerson/AdditionalId/Type") == ["HPR"]
    assert texts(content, "Receiver/HCP/Inst/Dept/Id") == ["8100003"]


def test_postal_addresses_come_back_too(validator: Validator) -> None:
    address = (
        '</Ident><Address><Type V="PST" DN="Postadresse"/><StreetAdr>Gata 1</StreetAdr>'
        '<City>Drammen</City><Postbox>7</Postbox><County V="0602"/></Address><Organisation>'
    )
    original = edited(ADMITTED, ("</Ident>\n        <Organisation>", address))
    assert validator.judge(original).accepted
    content = written(original)
    read_back(validator, content)
    assert texts(content, "Receiver/HCP/Address/StreetAdr") == ["Gata 1"]
    assert texts(content, "Receiver/HCP/Address/County") == ["0602"]


@pytest.mark.parametrize(
    ("original", "version", "answerer", "roles"),
    [
        (ADMITTED, "1.1", RECEIVER, ["PRIM", "AVS"]),
        (ADMITTED, "1.0", RECEIVER, ["REQ", "RECEIVER"]),
        (REFERRAL, "1.0", 8100003, ["SPR", "RECEIVER"]),
        (edited(ADMITTED, COPY), "1.1", 5, ["COP", "AVS"]),
        (edited(ADMITTED, COPY), "1.0", 5, ["COP", "RECEIVER"]),
        (edited(ADMITTED, COPY), "1.1", RECEIVER, ["PRIM", "AVS"]),
    ],
)
def test_the_roles_are_those_of_the_version(original: bytes, version: str, answerer: int, roles: list[str]) -> None:
    content = written(original, version=version, answerer=answerer)
    assert texts(content, "Sender/Role") + texts(content, "Receiver/Role") == roles


def test_a_receiver_that_is_copied_too_answers_as_primary(validator: Validator) -> None:
    twice = edited(ADMITTED, (COPY[0], COPY[1].replace("<Id>5<", f"<Id>{RECEIVER}<")))
    content = written(twice)
    assert texts(content, "Sender/Role") == ["PRIM"]
    assert read_back(validator, content).sender == Address(RECEIVER, 8110000, "Sykepleietjenesten", "Solvik kommune")


def test_a_comment_in_the_original_is_not_carried_over(validator: Validator) -> None:
    original = edited(ADMITTED, (f"<Id>{SENDER}</Id>", f"<Id>{SENDER // 10}<!-- x -->{SENDER % 10}</Id>"))
    assert read_back(validator, written(original)).receivers[0].address.her_id == SENDER


def test_what_is_empty_is_left_out() -> None:
    content = written(ADMITTED, Receipt(ReceiptStatus.REJECTED, (ReceiptError("X99"),)), software="")
    assert b"SoftwareName" not in content
    assert b"OT=" not in content
    assert b'DN=""' not in content


@pytest.mark.parametrize("original", ["utf-8", "iso-8859-1"])
def test_the_receipt_is_in_utf8_whatever_the_original_was(original: str, validator: Validator) -> None:
    text = ADMITTED.decode().replace("UTF-8", original).replace("Sykepleietjenesten", "Sjukepleietenesta på Ås")
    content = written(text.encode(original))
    assert content.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    assert read_back(validator, content).sender.name == "Sjukepleietenesta på Ås"


@pytest.mark.parametrize("text", ["\x00", "\x1b[31m", "\ud800", "\ufffe"])
def test_a_text_that_xml_cannot_carry_is_the_callers_to_mend(text: str) -> None:
    with pytest.raises(InvalidRequest, match="XML cannot carry"):
        written(ADMITTED, Receipt(ReceiptStatus.REJECTED, (ReceiptError("X99", details=text),)))


@pytest.mark.parametrize(("original", "answerer"), [(ADMITTED, 1), (ADMITTED, SENDER), (RECEIPT, 1), (b"<a>", 1)])
def test_only_a_receiver_of_a_message_can_answer(original: bytes, answerer: int) -> None:
    with pytest.raises(ValueError, match=r"no receiver of the message|Only a readable message"):
        written(original, answerer=answerer)
