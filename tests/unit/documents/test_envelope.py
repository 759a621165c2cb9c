"""What the exchange reads of a document: who, to whom, which."""

from __future__ import annotations

import pytest
from edits import ADMITTED, RECEIPT, RECEIVER, REFERRAL, SENDER, TO_A_PERSON, edited, nowhere

import fixtures
from messaging.documents import Validator
from messaging.model.message import Address, DispatchStatus, Envelope, Receiver, ReceiverRole
from messaging.model.receipt import ReceiptStatus

HER = '<TypeId V="HER" S="2.16.578.1.12.4.1.1.9051" DN="HER-id"/>'


def ident(her_id: str) -> str:
    return f"<Ident><Id>{her_id}</Id>{HER}</Ident>"


def organisation(*her_ids: str) -> str:
    inner = (
        f"<Organisation><OrganisationName>D</OrganisationName>{ident(her_ids[1])}</Organisation>" if her_ids[1:] else ""
    )
    return f"<Organisation><OrganisationName>C</OrganisationName>{ident(her_ids[0])}{inner}</Organisation>"


def other(role: str, inside: str) -> tuple[str, str]:
    receiver = f'<OtherReceiver><RoleReceiver V="{role}"/>{inside}</OtherReceiver>'
    return "<Patient>", receiver + "<Patient>"


def envelope(validator: Validator, content: bytes) -> Envelope:
    read = validator.judge(content).envelope
    assert read is not None
    return read


def test_a_message_tells_all_that_the_exchange_needs(validator: Validator) -> None:
    assert envelope(validator, ADMITTED) == Envelope(
        type="LOG_INNLAGT",
        namespace="http://www.kith.no/xmlstds/po/Pasientlogistikk/2012-04-01",
        version="1.6",
        msg_id="f2e28209-c1ef-5f9e-bca8-e3db824d553c",
        gen_date="2025-03-03T09:05:12",
        sender=Address(SENDER, 8100000, "Medisinsk avdeling", "Fjordheim sykehus"),
        receivers=(Receiver(Address(RECEIVER, 8110000, "Sykepleietjenesten", "Solvik kommune")),),
        status=DispatchStatus.NEW,
        conversation_id="f2e28209-c1ef-5f9e-bca8-e3db824d553c",
        link="f2e28209-c1ef-5f9e-bca8-e3db824d553c",
    )


def test_a_person_in_an_organisation_is_the_receiver(validator: Validator) -> None:
    (receiver,) = envelope(validator, TO_A_PERSON).receivers
    assert receiver.address == Address(8120001, 8120000, "Rita Lin", "Solvik legesenter")


def test_a_service_goes_before_the_person_who_signs(validator: Validator) -> None:
    person = f"<HealthcareProfessional><FamilyName>A</FamilyName>{ident('7')}</HealthcareProfessional>"
    content = edited(ADMITTED, ("</Organisation>\n      </Organisation>", f"</Organisation>{person}</Organisation>"))
    assert validator.judge(content).accepted
    assert envelope(validator, content).sender.her_id == SENDER


def test_a_person_answers_for_a_service_without_her_id(validator: Validator) -> None:
    person = f"<HealthcareProfessional><FamilyName>A</FamilyName>{ident('7')}</HealthcareProfessional>"
    content = edited(
        ADMITTED,
        ("</Organisation>\n      </Organisation>", f"</Organisation>{person}</Organisation>"),
        (f'<Id>{SENDER}</Id>\n            <TypeId V="HER"', '<Id>1</Id><TypeId V="AVD"'),
    )
    assert envelope(validator, content).sender == Address(7, 8100000, "A", "Fjordheim sykehus")


def test_one_level_alone_is_the_party_itself(validator: Validator) -> None:
    content = nowhere(ADMITTED, "<Organisation>\n          <OrganisationName>Medisinsk", "</Organisation>")
    assert envelope(validator, content).sender == Address(8100000, None, "Fjordheim sykehus")


def test_a_conversation_is_its_reference_and_its_parent(validator: Validator) -> None:
    read = envelope(validator, TO_A_PERSON)
    assert read.conversation_id == read.link == "57c4e434-531c-5378-b452-b60c23805cbf"
    assert read.parent_id == "57c4e434-531c-5378-b452-b60c23805cbf"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("valid/plo/1.6/log_innlagt_c.xml", DispatchStatus.CANCELLATION),
        ("valid/plo/1.6/utskrivningsrapport_m.xml", DispatchStatus.CHANGE),
        ("valid/henvisning/2.0/henvisning_nytilstand_m.xml", DispatchStatus.CHANGE),
        ("valid/henvisning/2.0/henvisning_videre_c.xml", DispatchStatus.CANCELLATION),
        ("valid/dialogmelding/1.1/dialog_status_henvisning.xml", None),
        ("valid/apprec/1.1/apprec_ok.xml", None),
    ],
)
def test_the_dispatch_status_is_that_of_the_payload(
    name: str, status: DispatchStatus | None, validator: Validator
) -> None:
    assert envelope(validator, fixtures.read(name)).status is status


def test_the_processing_status_is_read_and_else_production(validator: Validator) -> None:
    assert envelope(validator, REFERRAL).processing_status == "P"
    content = edited(ADMITTED, ("</MsgId>", '</MsgId><ProcessingStatus V="T"/>'))
    assert envelope(validator, content).processing_status == "T"


def test_copies_to_organisations_are_receivers(validator: Validator) -> None:
    content = edited(ADMITTED, other("COP", organisation("5", "6")))
    assert validator.judge(content).accepted
    assert envelope(validator, content).receivers[1] == Receiver(Address(6, 5, "D", "C"), ReceiverRole.COPY)


@pytest.mark.parametrize(
    ("role", "inside"),
    [
        ("COP", "<Patient><FamilyName>A</FamilyName></Patient>"),
        ("COP", f"<HealthcareProfessional><FamilyName>A</FamilyName>{ident('9')}</HealthcareProfessional>"),
        ("OR", organisation("5", "6")),
        ("", organisation("5", "6")),
    ],
    ids=["patient", "person alone", "role OR", "no role"],
)
def test_other_copies_are_not_ours_to_deliver(role: str, inside: str, validator: Validator) -> None:
    content = edited(ADMITTED, other(role, inside))
    assert validator.judge(content).accepted
    assert [receiver.address.her_id for receiver in envelope(validator, content).receivers] == [RECEIVER]


def test_a_receiver_named_twice_is_one_and_primary(validator: Validator) -> None:
    twice = edited(ADMITTED, other("COP", organisation("8110000", str(RECEIVER))))
    twice = edited(twice, other("COP", organisation("5", "6")))
    twice = edited(twice, other("PRIM", organisation("5", "6")))
    roles = {receiver.address.her_id: receiver.role for receiver in envelope(validator, twice).receivers}
    assert roles == {RECEIVER: ReceiverRole.PRIMARY, 6: ReceiverRole.PRIMARY}


@pytest.mark.parametrize(
    ("written", "her_id"),
    [
        ("42", 42),
        (" 42\n", 42),
        ("0000042", 42),
        ("2147483647", 2147483647),
        ("4<!-- -->2", 42),
        ("<!-- 9 -->42<?p 9?>", 42),
        ("<![CDATA[42]]>", 42),
        ("&#52;2", 42),
        ("2147483648", None),
        ("00000000042", None),
        ("0", None),
        ("-42", None),
        ("+42", None),
        ("4 2", None),
        ("42.0", None),
        ("٤٢", None),
        ("４２", None),  # noqa: RUF001
        ("", None),
    ],
)
def test_a_her_id_is_a_whole_number_however_it_is_written(
    written: str, her_id: int | None, validator: Validator
) -> None:
    content = edited(ADMITTED, (f"<Id>{SENDER}</Id>", f"<Id>{written}</Id>"))
    assert envelope(validator, content).sender.her_id == her_id


def test_two_different_her_ids_on_one_level_are_none(validator: Validator) -> None:
    content = edited(ADMITTED, (f"<Ident>\n            <Id>{RECEIVER}", f"{ident('7')}<Ident><Id>{RECEIVER}"))
    assert envelope(validator, content).receivers == ()


def test_an_address_elsewhere_in_the_document_is_no_receiver(validator: Validator) -> None:
    hidden = f"<Receiver>{organisation('5', '6')}</Receiver>"
    for place in ("<MsgInfo>", "<Document>", "<Content>", "<Patient>"):
        content = edited(ADMITTED, (place, place + hidden))
        receivers = [receiver.address.her_id for receiver in envelope(validator, content).receivers]
        assert not validator.judge(content).accepted
        assert place == "<MsgInfo>" or receivers == [RECEIVER]


def test_a_refused_document_is_read_as_far_as_it_goes(validator: Validator) -> None:
    content = nowhere(ADMITTED, "<Receiver>", "</Receiver>")
    content = edited(nowhere(content, "<MsgId>", "</MsgId>"), ("<GenDate>", "<GenDate>x"))
    read = envelope(validator, content)
    assert (read.sender.her_id, read.receivers, read.msg_id, read.conversation_id) == (SENDER, (), "", None)


def test_a_receipt_tells_what_it_answers_and_how(validator: Validator) -> None:
    read = envelope(validator, RECEIPT)
    assert read.is_apprec
    assert read.receipt is not None
    assert read.receipt.status is ReceiptStatus.REJECTED
    assert read.receipt.errors[0].oid == "2.16.578.1.12.4.1.1.8221"
    assert read.receipt.original_msg_id
    assert read.receipt.original_gen_date.startswith("20")


def test_a_receipt_of_an_unknown_status_says_nothing_and_is_a_receipt_still(validator: Validator) -> None:
    content = edited(RECEIPT, ('<Status V="2"', '<Status V="7"'))
    read = envelope(validator, content)
    assert read.is_apprec
    assert read.receipt is None


def test_a_receipt_names_parties_in_all_its_forms(validator: Validator) -> None:
    for name in fixtures.valid():
        if "/apprec/" in name:
            read = envelope(validator, fixtures.read(name))
            assert read.sender.her_id, name
            assert len(read.receivers) == 1, name
