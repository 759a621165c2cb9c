"""The rules that schemas cannot express: each with its code, its place, and words to act on."""

from __future__ import annotations

import pytest
from edits import ADMITTED, RECEIPT, RECEIVER, SENDER, TO_A_PERSON, edited, nowhere

from messaging.documents import Validator
from messaging.model.faults import Fault, FaultCode

MSG_ID = "f2e28209-c1ef-5f9e-bca8-e3db824d553c"
REFERENCE = "57c4e434-531c-5378-b452-b60c23805cbf"


def fault_of(validator: Validator, content: bytes, code: FaultCode) -> Fault:
    (fault,) = [fault for fault in validator.judge(content).faults if fault.code is code]
    return fault


@pytest.mark.parametrize("written", ["", "  \n", "<!-- x -->"])
def test_a_message_without_an_id_is_e10(written: str, validator: Validator) -> None:
    fault = fault_of(validator, edited(ADMITTED, (f">{MSG_ID}<", f">{written}<")), FaultCode.E10)
    assert (fault.path, fault.line) == ("/MsgHead/MsgInfo/MsgId", 7)


def test_a_missing_id_is_told_where_it_should_be(validator: Validator) -> None:
    content = nowhere(ADMITTED, "<MsgId>", "</MsgId>")
    assert fault_of(validator, content, FaultCode.E10).path == "/MsgHead/MsgInfo"
    assert fault_of(validator, content, FaultCode.T02).path == "/MsgHead/MsgInfo/Sender"


def test_a_receipt_needs_an_id_too(validator: Validator) -> None:
    content = nowhere(RECEIPT, "<Id>", "</Id>")
    assert fault_of(validator, content, FaultCode.E10).path == "/AppRec"


def test_an_id_has_the_length_of_an_id(validator: Validator) -> None:
    assert validator.judge(edited(ADMITTED, (MSG_ID, "x" * 200))).accepted
    assert "longer than 200" in fault_of(validator, edited(ADMITTED, (MSG_ID, "x" * 201)), FaultCode.E10).text


@pytest.mark.parametrize("name", ["RefToParent", "RefToConversation"])
def test_a_reference_has_the_length_of_an_id(name: str, validator: Validator) -> None:
    content = edited(TO_A_PERSON, (f"<{name}>{REFERENCE}", f"<{name}>{'x' * 201}"))
    assert fault_of(validator, content, FaultCode.E10).path == f"/MsgHead/MsgInfo/ConversationRef/{name}"


@pytest.mark.parametrize(("side", "level_2"), [("Sender", SENDER), ("Receiver", RECEIVER)])
def test_a_party_without_any_her_id_is_e21(side: str, level_2: int, validator: Validator) -> None:
    level_1 = level_2 // 10 * 10
    content = edited(ADMITTED, (f"<Id>{level_1}</Id>", "<Id>x</Id>"), (f"<Id>{level_2}</Id>", "<Id>0</Id>"))
    fault = fault_of(validator, content, FaultCode.E21)
    assert fault.path == f"/MsgHead/MsgInfo/{side}/Organisation"
    assert side.lower() in fault.text


def test_a_copy_receiver_does_not_stand_in_for_the_receiver(validator: Validator) -> None:
    organisation = ADMITTED.decode().partition("<Receiver>")[2].partition("</Receiver>")[0]
    content = edited(ADMITTED, ("<Id>8110000</Id>", "<Id>x</Id>"), (f"<Id>{RECEIVER}</Id>", "<Id>x</Id>"))
    other = f'<OtherReceiver><RoleReceiver V="PRIM"/>{organisation}</OtherReceiver><Patient>'
    assert fault_of(validator, edited(content, ("<Patient>", other)), FaultCode.E21)


@pytest.mark.parametrize("side", ["Sender", "Receiver"])
def test_a_receipt_names_both_parties(side: str, validator: Validator) -> None:
    before, tag, after = RECEIPT.decode().partition(f"<{side}>")
    inside, end, rest = after.partition(f"</{side}>")
    content = (before + tag + inside.replace('V="HER"', 'V="ENH"') + end + rest).encode()
    assert fault_of(validator, content, FaultCode.E21).path == f"/AppRec/{side}/HCP"


@pytest.mark.parametrize("status", ["0", "4", "OK", ""])
def test_a_receipt_of_an_unknown_status_cannot_be_acted_on(status: str, validator: Validator) -> None:
    content = edited(RECEIPT, ('<Status V="2"', f'<Status V="{status}"'))
    fault = fault_of(validator, content, FaultCode.T02)
    assert fault.path == "/AppRec/Status"
    assert "1 (OK), 2 (avvist) or 3" in fault.text
    assert validator.judge(content, schema_only=True).accepted


def test_a_negative_receipt_without_an_error_is_taken(validator: Validator) -> None:
    content = RECEIPT
    while b"<Error" in content:
        content = nowhere(content, "<Error", "/>")
    assert validator.judge(content).accepted


def test_the_schema_alone_holds_no_rule(validator: Validator) -> None:
    content = edited(ADMITTED, (f">{MSG_ID}<", "><"), (f"<Id>{SENDER}</Id>", "<Id>x</Id>"), ("<Id>8100000<", "<Id>x<"))
    assert not validator.judge(content).accepted
    assert validator.judge(content, schema_only=True).accepted
