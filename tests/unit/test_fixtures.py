"""The fixtures are what they say: valid, invalid for the one reason of their folder, synthetic, and whole."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

import fixtures
from fixtures.make import documents
from fixtures.stay import Step, stay
from messaging.documents import Catalogue, Validator
from messaging.documents.rules import RULES
from messaging.model.clock import instant_of
from messaging.model.faults import FaultCode
from messaging.model.message import Address, Envelope, ReceiverRole
from messaging.model.rules import RuleName, Severity

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)

OFFICIAL_PATIENTS = {"05073500186", "11064700342", "12057900499", "12119000465", "80008621423"}
"""Fictitious persons of Norsk Helsenett: test patients 7, 27, 3, 26 and 20."""
OFFICIAL_CLINICIANS = {"9144889", "9144900", "9144919", "9999974", "9876543"}
"""HPR numbers of fictitious clinicians of Norsk Helsenett: test physicians 1, 3, 4 and 14, test nurse 1."""

DECIDED_BY_THE_EXCHANGE = "invalid/E21/receiver_unknown.xml"
"""In order as a document: only who knows the parties can tell that its receiver is none."""


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(Catalogue.load(), clock=lambda: NOW)


@pytest.fixture(scope="module")
def envelopes(validator: Validator) -> dict[str, Envelope]:
    judged = {name: validator.judge(fixtures.read(name)).envelope for name in fixtures.valid()}
    return {name: envelope for name, envelope in judged.items() if envelope}


@pytest.mark.parametrize("name", fixtures.valid())
def test_a_valid_document_has_no_fault_and_no_warning(name: str, validator: Validator) -> None:
    verdict = validator.judge(fixtures.read(name))
    assert [fault.sentence() for fault in (*verdict.faults, *verdict.warnings)] == []
    assert verdict.envelope is not None


@pytest.mark.parametrize("name", [name for name in fixtures.invalid() if name != DECIDED_BY_THE_EXCHANGE])
def test_an_invalid_document_has_the_fault_of_its_folder_and_no_other(name: str, validator: Validator) -> None:
    verdict = validator.judge(fixtures.read(name))
    assert {fault.code for fault in verdict.faults} == {FaultCode(name.split("/")[1])}


@pytest.mark.parametrize("name", fixtures.warned())
def test_a_document_to_warn_of_is_taken_with_the_warning_of_its_folder_and_no_other(
    name: str, validator: Validator
) -> None:
    verdict = validator.judge(fixtures.read(name))
    assert verdict.accepted
    assert [warning.code.value for warning in verdict.warnings] == [name.split("/")[1]]


def test_every_rule_that_warns_has_documents_except_the_one_on_size() -> None:
    warning = {rule.name.value for rule in RULES if rule.severity is Severity.WARN}
    assert {name.split("/")[1] for name in fixtures.warned()} == warning - {RuleName.ATTACHMENT_SIZE.value}


def test_the_document_with_several_faults_has_them_all_told(validator: Validator) -> None:
    verdict = validator.judge(fixtures.read("invalid/T02/several_faults.xml"))
    assert len({fault.line for fault in verdict.faults}) == 4


def test_the_unknown_receiver_is_in_order_as_a_document_and_no_party(validator: Validator) -> None:
    verdict = validator.judge(fixtures.read(DECIDED_BY_THE_EXCHANGE))
    assert not verdict.faults
    assert verdict.envelope is not None
    (receiver,) = verdict.envelope.receivers
    assert receiver.address.her_id not in {None, *(party.her_id for party in fixtures.parties())}


def test_every_fault_code_that_the_exchange_gives_unasked_has_documents() -> None:
    folders = {FaultCode(name.split("/")[1]) for name in fixtures.invalid()}
    of_warnings = {rule.code for rule in RULES if rule.severity is Severity.WARN}
    of_signatures = {FaultCode.S01, FaultCode.S02, FaultCode.S03}
    # Those are given only where the operator asks for signatures; test_signatures.py signs documents anew for them.
    assert folders == set(FaultCode) - {FaultCode.X99, FaultCode.E31} - of_signatures
    assert {FaultCode.X99, FaultCode.E31} <= of_warnings, "only an operator's policy makes them stop a message"


def test_every_message_type_has_a_valid_document_in_each_status_it_may_carry(envelopes: dict[str, Envelope]) -> None:
    written = {(found.type, found.version, found.status) for found in envelopes.values()}
    wanted = {
        (kind.type, kind.version, status) for kind in Catalogue.load().kinds for status in (kind.statuses or (None,))
    }
    assert written == wanted


def test_a_valid_document_lies_in_the_folder_of_its_version(envelopes: dict[str, Envelope]) -> None:
    assert [name for name, found in envelopes.items() if name.split("/")[2] != found.version] == []


def test_what_is_on_disk_is_what_make_writes() -> None:
    names = fixtures.valid() + fixtures.invalid() + fixtures.warned()
    assert {name: fixtures.read(name) for name in names} == documents()


def test_no_two_documents_share_a_message_id(envelopes: dict[str, Envelope]) -> None:
    assert len({found.msg_id for found in envelopes.values()}) == len(fixtures.valid())


SUMMARIES = {"E", "EPIKRISE"}
"""These answer a referral in another conversation."""


def test_every_conversation_leads_back_to_the_document_that_opened_it(envelopes: dict[str, Envelope]) -> None:
    by_id = {found.msg_id: found for found in envelopes.values()}
    later = [found for found in envelopes.values() if found.parent_id and found.type not in SUMMARIES]
    assert len(later) > 20
    for found in later:
        parent = by_id[str(found.parent_id)]
        assert found.conversation_id == parent.conversation_id
        assert instant(found) > instant(parent)


def test_a_change_or_cancellation_refers_to_a_document_of_its_own_type(envelopes: dict[str, Envelope]) -> None:
    by_id = {found.msg_id: found for found in envelopes.values()}
    amended = [
        found
        for found in envelopes.values()
        if found.status in {"M", "C"} and found.parent_id and found.type not in SUMMARIES
    ]
    assert len(amended) > 50
    assert all(by_id[str(found.parent_id)].type == found.type for found in amended)


def test_a_change_or_cancellation_shares_its_link_with_an_earlier_one_of_its_type_and_version(
    envelopes: dict[str, Envelope],
) -> None:
    new = {(found.type, found.version, found.link): found for found in envelopes.values() if found.status == "N"}
    amended = [found for found in envelopes.values() if found.status in {"M", "C"}]
    assert {found.version for found in amended} == {"1.0", "1.1", "1.2", "1.5", "1.6", "2.0"}
    for found in amended:
        original = new[found.type, found.version, found.link]
        assert original.sender == found.sender
        assert instant(original) < instant(found)


def test_a_discharge_summary_answers_a_referral_by_the_referrals_own_id(envelopes: dict[str, Envelope]) -> None:
    referrals = {
        found.link for found in envelopes.values() if found.type in {"H", "HENVISNING", "HENVISNING_NYTILSTAND"}
    }
    answered = {found.parent_id for found in envelopes.values() if found.type in SUMMARIES}
    assert len(answered) > 1
    assert answered <= referrals


def test_a_receipt_of_version_1_1_answers_a_document_in_one_of_its_receivers_names(
    envelopes: dict[str, Envelope],
) -> None:
    by_id = {found.msg_id: found for found in envelopes.values()}
    receipts = [found for found in envelopes.values() if found.is_apprec and found.version == "1.1"]
    assert len(receipts) == 4
    for found in receipts:
        assert found.receipt is not None
        original = by_id[found.receipt.original_msg_id]
        assert (found.receipt.original_type, found.receipt.original_gen_date) == (original.type, original.gen_date)
        assert found.receivers[0].address == original.sender
        assert found.sender in [receiver.address for receiver in original.receivers]


def test_the_documents_vary_as_real_ones_do(envelopes: dict[str, Envelope]) -> None:
    contents = [fixtures.read(name) for name in fixtures.valid()]
    assert any(content.startswith(b"\xef\xbb\xbf") for content in contents)
    assert any(b'encoding="ISO-8859-1"' in content for content in contents)
    assert any(b"Base64Container" in content for content in contents)
    assert any(found.receivers[-1].role is ReceiverRole.COPY for found in envelopes.values())
    gen_dates = [found.gen_date for found in envelopes.values()]
    for way in (r":\d\d", r"Z", r"\+0[12]:00", r"\.\d{9}\+01:00"):
        assert any(re.search(rf"{way}$", text) for text in gen_dates), way


def test_every_address_in_a_valid_document_is_a_party_on_its_two_levels(envelopes: dict[str, Envelope]) -> None:
    parties = {party.her_id: party for party in fixtures.parties()}
    for found in envelopes.values():
        for address in addresses(found):
            party = parties[int(str(address.her_id))]
            organisation = parties[int(str(address.parent_her_id))]
            assert (party.parent_her_id, party.name) == (address.parent_her_id, address.name)
            assert organisation.name == address.parent_name


def test_every_service_and_person_belongs_to_an_organisation() -> None:
    parties = {party.her_id: party for party in fixtures.parties()}
    for party in parties.values():
        assert (party.parent_her_id is None) == (party.kind == "organisation")
        assert party.parent_her_id is None or parties[party.parent_her_id].kind == "organisation"
        assert 8_100_000 <= party.her_id <= 8_129_999


def test_every_party_has_one_client_and_the_operator_has_none() -> None:
    granted = [her_id for client in fixtures.clients() for her_id in client.her_ids]
    assert sorted(granted) == sorted(party.her_id for party in fixtures.parties())
    assert [client.name for client in fixtures.clients() if client.oversees] == ["operator"]


def test_only_official_fictitious_people_are_in_the_documents() -> None:
    contents = [fixtures.read(name) for name in fixtures.valid() + fixtures.invalid()]
    contents += [step.content for step in stay(NOW)]
    numbers = {number.decode() for content in contents for number in re.findall(rb"(?<![\w-])\d{11}(?![\w-])", content)}
    hpr = {
        number.decode()
        for content in contents
        for number in re.findall(rb"Id>(\d{7})</(?:fk1:)?Id>\s*<[^>]*HPR", content)
    }
    assert numbers == OFFICIAL_PATIENTS
    assert hpr == OFFICIAL_CLINICIANS


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    return stay(NOW)


def test_every_message_of_the_stay_is_valid_and_as_its_step_tells(steps: list[Step], validator: Validator) -> None:
    clients = {client.name: client for client in fixtures.clients()}
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    for step in steps:
        verdict = validator.judge(step.content)
        assert not verdict.faults
        assert verdict.envelope is not None
        told = (verdict.envelope.type, verdict.envelope.msg_id, verdict.envelope.sender.her_id)
        assert told == (step.type, step.msg_id, step.sender_her_id)
        assert tuple(receiver.address.her_id for receiver in verdict.envelope.receivers) == step.receiver_her_ids
        assert step.sender_her_id in clients[step.client].her_ids


def test_the_stay_is_one_conversation_and_the_referral_another(steps: list[Step], validator: Validator) -> None:
    envelopes = [validator.judge(step.content).envelope for step in steps]
    assert [found.conversation_id for found in envelopes if found] == [steps[0].msg_id] * 11 + [steps[11].msg_id] * 2
    assert [step.type for step, found in zip(steps, envelopes, strict=True) if found and not found.parent_id] == [
        "LOG_INNLAGT",
        "HENVISNING_NYTILSTAND",
    ]


def test_the_stay_is_written_now(steps: list[Step], validator: Validator) -> None:
    written = [instant(found) for step in steps if (found := validator.judge(step.content).envelope)]
    assert written == sorted(written)
    assert written[-1] == NOW
    assert NOW - written[0] < timedelta(minutes=1)


def test_a_stay_is_new_each_time_unless_a_seed_is_given() -> None:
    assert stay(NOW, seed=1) == stay(NOW, seed=1)
    ids = [step.msg_id for played in (stay(NOW), stay(NOW), stay(NOW, seed=1), stay(NOW, seed=2)) for step in played]
    assert len(set(ids)) == len(ids)


def addresses(envelope: Envelope) -> list[Address]:
    return [envelope.sender, *(receiver.address for receiver in envelope.receivers)]


def instant(envelope: Envelope) -> datetime:
    found = instant_of(envelope.gen_date)
    assert found is not None
    return found
