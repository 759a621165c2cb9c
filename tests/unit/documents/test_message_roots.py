"""Epikrise 1.x and Henvisning 1.x, whose root is Message: read into the same Envelope, judged, and answered."""

from __future__ import annotations

import re
from pathlib import Path
from runpy import run_path

import pytest
from edits import edited, nowhere
from lxml import etree

import fixtures
from messaging.documents import Validator, write_apprec
from messaging.model.faults import FaultCode
from messaging.model.message import Address, DispatchStatus, Envelope, Receiver, ReceiverRole
from messaging.model.receipt import Receipt, ReceiptStatus
from world import SHARED

EXAMPLES = SHARED / "standards/examples"

SUMMARY = fixtures.read("valid/epikrise/1.2/epikrise_n.xml")
REFERRAL = fixtures.read("valid/henvisning/1.1/henvisning_n.xml")

GERIATRICS = Address(8100003, 8100000, "Geriatrisk poliklinikk", "Fjordheim sykehus")
GP = Address(8120001, 8120000, "Rita Lin", "Solvik legesenter")
NURSING = Address(8110001, 8110000, "Sykepleietjenesten", "Solvik kommune")
PRIMARY, COPY = ReceiverRole.PRIMARY, ReceiverRole.COPY

INNER_HER_ID = '<Id>{}</Id>\n            <TypeId V="HER"'


def envelope(validator: Validator, content: bytes) -> Envelope:
    read = validator.judge(content).envelope
    assert read is not None
    return read


@pytest.mark.parametrize(
    ("name", "type_code", "version", "sender", "receivers", "processing"),
    [
        ("epikrise/1.1/epikrise", "E", "1.1", GERIATRICS, [(GP, PRIMARY), (NURSING, COPY)], "P"),
        ("epikrise/1.1/epikrise_kode_epikrise", "EPIKRISE", "1.1", GERIATRICS, [(GP, PRIMARY)], "P"),
        ("epikrise/1.2/epikrise", "EPIKRISE", "1.2", GERIATRICS, [(GP, PRIMARY), (NURSING, COPY)], "P"),
        ("epikrise/1.2/epikrise_kode_e", "E", "1.2", GERIATRICS, [(GP, PRIMARY)], "T"),
        ("henvisning/1.0/henvisning", "H", "1.0", GP, [(GERIATRICS, PRIMARY), (NURSING, COPY)], "P"),
        ("henvisning/1.0/henvisning_kode_henvisning", "HENVISNING", "1.0", GP, [(GERIATRICS, PRIMARY)], "T"),
        ("henvisning/1.1/henvisning", "HENVISNING", "1.1", GP, [(GERIATRICS, PRIMARY), (NURSING, COPY)], "P"),
        ("henvisning/1.1/henvisning_kode_h", "H", "1.1", GP, [(GERIATRICS, PRIMARY)], "T"),
    ],
)
@pytest.mark.parametrize("status", DispatchStatus)
def test_a_message_without_msghead_tells_all_that_the_exchange_needs(
    *,
    name: str,
    type_code: str,
    version: str,
    sender: Address,
    receivers: list[tuple[Address, ReceiverRole]],
    processing: str,
    status: DispatchStatus,
    validator: Validator,
) -> None:
    content = fixtures.read(f"valid/{name}_{status.lower()}.xml")
    read = envelope(validator, content)
    assert (read.type, read.version, read.status, read.processing_status) == (type_code, version, status, processing)
    assert read.namespace in content.decode("iso-8859-1")
    assert read.sender == sender
    assert read.receivers == tuple(Receiver(address, role) for address, role in receivers)
    assert read.msg_id.encode() in content
    assert read.gen_date.startswith("202")
    assert read.receipt is None


@pytest.mark.parametrize(
    ("version", "asked"),
    [("1.1", b"da53b78e-6f42-5863-91cf-b77922789650"), ("1.2", b"b70a50b6-eff1-5ce4-b668-1bd8795dd0f0")],
)
def test_d4_4_an_epikrise_names_the_referral_that_it_answers(version: str, asked: bytes, validator: Validator) -> None:
    content = fixtures.read(f"valid/epikrise/{version}/epikrise_n.xml")
    assert envelope(validator, content).parent_id == asked.decode()
    assert envelope(validator, nowhere(content, "<ServReq>", "</ServReq>")).parent_id is None
    without = content.replace(asked, b"a" * 201)
    assert validator.judge(without).accepted
    assert envelope(validator, without).parent_id is None
    assert envelope(validator, REFERRAL).parent_id is None


@pytest.mark.parametrize(("original", "element"), [(SUMMARY, "ServProvId"), (REFERRAL, "Id")])
def test_d4_2_the_link_is_the_documents_own_id_and_its_conversation(
    original: bytes, element: str, validator: Validator
) -> None:
    read = envelope(validator, original)
    assert read.link is not None
    assert f"<{element}>{read.link}</{element}>".encode() in original
    assert read.conversation_id == read.link != read.msg_id


def test_a_summary_without_an_id_of_its_own_is_linked_by_its_msg_id(validator: Validator) -> None:
    content = nowhere(SUMMARY, "<ServProvId>", "</ServProvId>")
    assert validator.judge(content).accepted
    assert envelope(validator, content).link == envelope(validator, content).msg_id


@pytest.mark.parametrize(
    ("original", "code"),
    [
        (fixtures.read("valid/epikrise/1.1/epikrise_n.xml"), "E"),
        (SUMMARY, "EPIKRISE"),
        (fixtures.read("valid/henvisning/1.0/henvisning_kode_henvisning_n.xml"), "H"),
        (REFERRAL, "HENVISNING"),
    ],
)
def test_a_message_that_does_not_tell_its_type_is_what_its_root_says(
    original: bytes, code: str, validator: Validator
) -> None:
    verdict = validator.judge(nowhere(original, "<Type V", "/>"))
    assert verdict.accepted
    assert verdict.kind is not None
    assert verdict.envelope is not None
    assert verdict.kind.type == verdict.envelope.type == code


@pytest.mark.parametrize("named", ["HENVISNING", "APPREC", "LOG_INNLAGT", "epikrise", ""])
def test_a_type_that_the_root_is_not_is_t10_and_says_what_it_is(named: str, validator: Validator) -> None:
    verdict = validator.judge(edited(SUMMARY, ('<Type V="EPIKRISE"', f'<Type V="{named}"')))
    (fault,) = verdict.faults
    assert (fault.code, fault.path) == (FaultCode.T10, "/Message/Type")
    assert fault.text == "Type does not name what the document is; expected V to be EPIKRISE or E."
    assert verdict.kind is None


@pytest.mark.parametrize("namespace", ["henvisning/2031-01-01", "epikrise"])
def test_a_version_that_is_not_taken_is_t10_and_says_which_are(namespace: str, validator: Validator) -> None:
    verdict = validator.judge(edited(REFERRAL, ("henvisning/2012-02-15", namespace)))
    (fault,) = verdict.faults
    assert fault.code is FaultCode.T10
    assert "Henvisning 1.0, 1.1" in fault.text
    assert "Epikrise 1.1, 1.2" in fault.text
    assert verdict.envelope is None


@pytest.mark.parametrize(
    ("original", "her_id", "path"),
    [
        (SUMMARY, 8100003, "/Message/ServRprt/ServProvider/HCP"),
        (SUMMARY, 8120001, "/Message/ServRprt/Requester/HCP"),
        (REFERRAL, 8100003, "/Message/ServReq/ServProvider/HCP"),
    ],
)
def test_whoever_has_no_her_id_on_level_2_is_told_at_their_own_place(
    original: bytes, her_id: int, path: str, validator: Validator
) -> None:
    written = INNER_HER_ID.format(her_id)
    faults = validator.judge(edited(original, (written, written.replace("HER", "LIN")))).faults
    assert {fault.code for fault in faults} == {FaultCode.E21}
    assert all(str(fault.path).startswith(path) for fault in faults)


def test_the_person_of_a_service_only_signs(validator: Validator) -> None:
    signer = '<HCPerson><Name>A</Name><Id>7</Id><TypeId V="HER"/></HCPerson>'
    content = edited(SUMMARY, ("</Dept>", f"</Dept>{signer}"))
    assert validator.judge(content).accepted
    assert envelope(validator, content).sender == GERIATRICS
    assert b"HCPerson" not in answered(content, GP.her_id).partition(b"<Receiver>")[2]


def test_a_professional_alone_is_a_party_on_one_level(validator: Validator) -> None:
    alone = '<HCP><HCProf><Name>A</Name><Id>9144900</Id><TypeId V="HPR"/>{}</HCProf></HCP>'
    content = re.sub(
        rb"(<ServProvider>.*?)<HCP>.*?</HCP>",
        rb"\1" + alone.format('<AdditionalId><Id>77</Id><Type V="HER"/></AdditionalId>').encode(),
        SUMMARY,
        count=1,
        flags=re.DOTALL,
    )
    assert envelope(validator, content).sender == Address(77, None, "A")


def test_two_different_her_ids_on_one_level_are_none(validator: Validator) -> None:
    more = '<AdditionalId><Id>7</Id><Type V="HER"/></AdditionalId></Dept>'
    assert envelope(validator, edited(SUMMARY, ("</Dept>", more))).sender.her_id is None


def test_a_copy_without_her_id_is_not_ours_to_deliver_and_one_named_twice_is_one(validator: Validator) -> None:
    her_id = INNER_HER_ID.format(NURSING.her_id)
    unknown = edited(SUMMARY, (her_id, her_id.replace("HER", "LIN")))
    assert [receiver.address for receiver in envelope(validator, unknown).receivers] == [GP]
    copy = SUMMARY.decode().partition("<CopyDest>")[2].partition("</CopyDest>")[0]
    twice = edited(SUMMARY, ("<Requester>", f"<CopyDest>{copy}</CopyDest><Requester>"))
    assert len(envelope(validator, twice).receivers) == 2


def test_an_address_elsewhere_in_the_document_is_no_receiver(validator: Validator) -> None:
    requester = SUMMARY.decode().partition("<Requester>")[2].partition("</Requester>")[0]
    hidden = f"<Requester>{requester}</Requester>".replace("8120001", "5")
    for place in ("<Patient>", "<Event>", "<ServReq>"):
        receivers = envelope(validator, edited(SUMMARY, (place, place + hidden))).receivers
        assert [receiver.address.her_id for receiver in receivers] == [8120001, 8110001]


def answered(original: bytes, answerer: int | None, *, version: str = "1.1") -> bytes:
    assert answerer is not None
    return write_apprec(
        original,
        Receipt(ReceiptStatus.OK),
        version=version,
        answerer=answerer,
        msg_id="0b3f3f3a-94d5-4f4b-9c86-3c9b0d0f6a11",
        gen_date="2025-03-03T10:00:00+01:00",
    )


@pytest.mark.parametrize(
    ("original", "answerer", "version", "roles"),
    [
        (SUMMARY, GP, "1.0", ["REQ", "RECEIVER"]),
        (SUMMARY, GP, "1.1", ["PRIM", "AVS"]),
        (SUMMARY, NURSING, "1.0", ["COP", "RECEIVER"]),
        (REFERRAL, GERIATRICS, "1.0", ["SPR", "RECEIVER"]),
        (REFERRAL, GERIATRICS, "1.1", ["PRIM", "AVS"]),
        (REFERRAL, NURSING, "1.1", ["COP", "AVS"]),
    ],
)
def test_the_receipts_roles_are_those_of_the_version_and_of_the_message(
    original: bytes, answerer: Address, version: str, roles: list[str]
) -> None:
    root = etree.fromstring(answered(original, answerer.her_id, version=version))
    assert [role.get("V") for role in root.iter("{*}Role")] == roles


def test_the_receipt_names_the_original_by_type_time_and_id(validator: Validator) -> None:
    read = envelope(validator, answered(SUMMARY, GP.her_id))
    original = envelope(validator, SUMMARY)
    assert read.receipt is not None
    assert read.receipt.original_type == "EPIKRISE"
    assert (read.receipt.original_gen_date, read.receipt.original_msg_id) == (original.gen_date, original.msg_id)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("2025-02-24T14:05:00.5Z", "2025-02-24T14:05:00.5Z"),
        ("2025-02-24", "2025-02-24T00:00:00"),
        ("2025-02-24+01:00", "2025-02-24T00:00:00+01:00"),
        ("2025-02", "2025-02-01T00:00:00"),
        ("2025", "2025-01-01T00:00:00"),
        ("14:05:00", "2025-03-03T10:00:00+01:00"),
    ],
)
def test_a_time_that_is_less_than_a_moment_is_made_one_in_the_receipt(
    written: str, told: str, validator: Validator
) -> None:
    content = re.sub(rb'<GenDate V="[^"]*"', f'<GenDate V="{written}"'.encode(), SUMMARY)
    assert validator.judge(content, schema_only=True).accepted
    read = envelope(validator, answered(content, GP.her_id))
    assert read.receipt is not None
    assert read.receipt.original_gen_date == told


def test_telephone_and_district_of_the_address_come_back(validator: Validator) -> None:
    address = (
        '</Inst><Address><Type V="WP" DN="Arbeidsadresse"/><City>Solvik</City><CityDistr V="0301" DN="Sentrum"/>'
        '<TeleAddress V="tel:75589889"/><TeleAddress V="mailto:post@example.org"/></Address>'
    )
    content = edited(SUMMARY, ("</Inst>", address))
    assert validator.judge(content).accepted
    answer = answered(content, GP.her_id)
    assert validator.judge(answer).accepted
    assert answer.count(b"<TeleAddress V=") == 2
    assert b'<CityDistr V="0301" DN="Sentrum"/>' in answer


# The official examples

FOLDERS = (
    "plo/1_5",
    "Dialogmelding/Dialogmelding-v1-0",
    "Epikrise",
    "Henvisning/Henvisning_v1-0",
    "Henvisning/Henvisning_v1-1",
)
ALL = sorted(path for folder in FOLDERS for path in (EXAMPLES / folder).rglob("*.xml"))

official = pytest.mark.skipif(not ALL, reason="the official examples are not beside the checkout (SAMHANDLING_SHARED)")


@official
@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_an_official_example_of_an_older_version_is_accepted(path: Path, validator: Validator) -> None:
    assert [fault.sentence() for fault in validator.judge(path.read_bytes()).faults] == []


@official
def test_there_are_as_many_official_examples_as_there_are_known_to_be() -> None:
    assert len(ALL) == 39


@official
def test_every_official_example_gets_the_verdict_of_the_official_schemas(validator: Validator) -> None:
    tool = run_path(str(SHARED / "tools/verdicts.py"))
    schema, _ = tool["official"]()
    for path in sorted(EXAMPLES.rglob("*.xml")):
        content = path.read_bytes()
        accepted = validator.judge(content, schema_only=True).accepted
        assert accepted is (tool["judge"](schema, content) == "accepted"), path
