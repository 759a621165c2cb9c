"""The rules that schemas cannot express: each with its code, its place, and words to act on."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from edits import ADMITTED, RECEIPT, RECEIVER, REFERRAL, SENDER, TO_A_PERSON, edited, nowhere, with_attachment

import fixtures
from messaging.documents import Catalogue, Validator
from messaging.documents.rules.attachments import decoded_size
from messaging.documents.rules.person_numbers import is_valid
from messaging.model.faults import Fault, FaultCode
from messaging.model.limits import Limits
from messaging.model.rules import RuleName

NOW = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)
MSG_ID = "f2e28209-c1ef-5f9e-bca8-e3db824d553c"
REFERENCE = "57c4e434-531c-5378-b452-b60c23805cbf"
OLD_REFERRAL = fixtures.read("valid/henvisning/1.1/henvisning_n.xml")
SUMMARY = fixtures.read("valid/epikrise/1.2/epikrise_n.xml")
EMERGENCY = edited(REFERRAL, ('<Priority V="N"', '<Priority V="0"'))
DEVIATION = fixtures.read("valid/dialogmelding/1.0/dialog_avvik.xml")


def fault_of(validator: Validator, content: bytes, code: FaultCode) -> Fault:
    (fault,) = [fault for fault in validator.judge(content).faults if fault.code is code]
    return fault


def rejects(validator: Validator, content: bytes) -> set[str]:
    return {fault.code.value for fault in validator.judge(content).faults}


def warns(validator: Validator, content: bytes) -> set[str]:
    verdict = validator.judge(content)
    assert [fault.sentence() for fault in verdict.faults] == []
    return {warning.code.value for warning in verdict.warnings}


# Which message it is


@pytest.mark.parametrize("written", ["", "  \n", "<!-- x -->", "17", "x" * 300, f"{MSG_ID}0", f"{{{MSG_ID}}}"])
def test_a_message_whose_id_is_no_uuid_is_e10(written: str, validator: Validator) -> None:
    fault = fault_of(validator, edited(ADMITTED, (f">{MSG_ID}<", f">{written}<")), FaultCode.E10)
    assert (fault.path, fault.line) == ("/MsgHead/MsgInfo/MsgId", 7)
    given = 0 < len(written.strip()) <= 200 and "<" not in written
    assert fault.rule is (RuleName.MSG_ID_UUID if given else RuleName.MSG_ID)


@pytest.mark.parametrize("written", [MSG_ID.upper(), f"\n  {MSG_ID}  ", f"{MSG_ID[:9]}<!-- x -->{MSG_ID[9:]}"])
def test_a_uuid_is_one_however_it_is_written(written: str, validator: Validator) -> None:
    assert rejects(validator, edited(ADMITTED, (f">{MSG_ID}<", f">{written}<"))) == set()


def test_a_missing_id_is_told_where_it_should_be(validator: Validator) -> None:
    content = nowhere(ADMITTED, "<MsgId>", "</MsgId>")
    assert fault_of(validator, content, FaultCode.E10).path == "/MsgHead/MsgInfo"
    assert fault_of(validator, content, FaultCode.T02).path == "/MsgHead/MsgInfo/Sender"


@pytest.mark.parametrize(("content", "end"), [(RECEIPT, "/AppRec"), (OLD_REFERRAL, "/Message"), (SUMMARY, "/Message")])
def test_receipts_and_messages_without_msghead_need_an_id_too(content: bytes, end: str, validator: Validator) -> None:
    name = "Id" if end == "/AppRec" else "MsgId"
    content = nowhere(content, f"<{name}>", f"</{name}>")
    assert fault_of(validator, content, FaultCode.E10).path == end


@pytest.mark.parametrize("name", ["RefToParent", "RefToConversation"])
def test_a_reference_has_the_length_of_an_id(name: str, validator: Validator) -> None:
    content = edited(TO_A_PERSON, (f"<{name}>{REFERENCE}", f"<{name}>{'x' * 201}"))
    assert fault_of(validator, content, FaultCode.E10).path == f"/MsgHead/MsgInfo/ConversationRef/{name}"
    assert rejects(validator, edited(TO_A_PERSON, (f"<{name}>{REFERENCE}", f"<{name}>{'x' * 200}"))) == set()


@pytest.mark.parametrize(
    ("away", "warned"),
    [
        (timedelta(hours=23), False),
        (timedelta(hours=25), True),
        (timedelta(days=-5 * 365 + 1), False),
        (timedelta(days=-5 * 365 - 1), True),
    ],
)
def test_a_message_is_written_within_five_years_and_not_tomorrow(
    *, away: timedelta, warned: bool, catalogue: Catalogue
) -> None:
    timed = Validator(catalogue, clock=lambda: NOW)
    for content, old in ((ADMITTED, "2025-03-03T09:05:12<"), (SUMMARY, gen_date_of(SUMMARY))):
        written = (NOW + away).isoformat()
        assert ("gen-date" in warns(timed, edited(content, (old, written + old[-1])))) is warned


def gen_date_of(content: bytes) -> str:
    start = content.decode().partition('<GenDate V="')[2]
    return start.partition('"')[0] + '"'


def test_without_a_clock_no_time_is_too_long_ago(validator: Validator) -> None:
    assert warns(validator, fixtures.read("warned/gen-date/long_ago.xml")) == set()


# From whom and to whom


@pytest.mark.parametrize(("side", "level_2"), [("Sender", SENDER), ("Receiver", RECEIVER)])
def test_a_party_without_any_her_id_is_e21_once(side: str, level_2: int, validator: Validator) -> None:
    level_1 = level_2 // 10 * 10
    content = edited(ADMITTED, (f"<Id>{level_1}</Id>", "<Id>x</Id>"), (f"<Id>{level_2}</Id>", "<Id>0</Id>"))
    fault = fault_of(validator, content, FaultCode.E21)
    assert fault.path == f"/MsgHead/MsgInfo/{side}/Organisation"
    assert side.lower() in fault.text


@pytest.mark.parametrize(("side", "level_2"), [("Sender", SENDER), ("Receiver", RECEIVER)])
def test_a_party_without_a_her_id_on_level_1_is_e21(side: str, level_2: int, validator: Validator) -> None:
    fault = fault_of(validator, edited(ADMITTED, (f"<Id>{level_2 - 1}</Id>", "<Id>x</Id>")), FaultCode.E21)
    assert fault.rule is RuleName.TWO_LEVELS
    assert fault.path == f"/MsgHead/MsgInfo/{side}/Organisation"
    assert "level 1" in fault.text


@pytest.mark.parametrize(("side", "level_2"), [("Sender", SENDER), ("Receiver", RECEIVER)])
def test_an_organisation_alone_is_on_one_level_and_e21(side: str, level_2: int, validator: Validator) -> None:
    before, tag, after = ADMITTED.decode().partition(f"<{side}>")
    inside = nowhere(after.encode(), "<Organisation>\n          <OrganisationName>", "</Organisation>").decode()
    fault = fault_of(validator, (before + tag + inside).encode(), FaultCode.E21)
    assert fault.rule is RuleName.TWO_LEVELS
    assert f"The {side.lower()} has no HER-id on level 2" in fault.text
    assert level_2


@pytest.mark.parametrize("content", [OLD_REFERRAL, SUMMARY])
def test_messages_without_msghead_name_their_parties_on_two_levels_too(content: bytes, validator: Validator) -> None:
    assert rejects(validator, content) == set()
    for her_id in (SENDER - 1, 8120000):
        spoilt = edited(content, (f"<Id>{her_id}</Id>", "<Id>x</Id>"))
        assert fault_of(validator, spoilt, FaultCode.E21).rule is RuleName.TWO_LEVELS


def other_receiver(role: str, her_id: str = "5") -> tuple[str, str]:
    organisation = ADMITTED.decode().partition("<Receiver>")[2].partition("</Receiver>")[0]
    organisation = organisation.replace(f"<Id>{RECEIVER}</Id>", f"<Id>{her_id}</Id>")
    return "<Patient>", f'<OtherReceiver><RoleReceiver V="{role}" DN="x"/>{organisation}</OtherReceiver><Patient>'


def test_each_copy_receiver_is_named_on_two_levels(validator: Validator) -> None:
    assert rejects(validator, edited(ADMITTED, other_receiver("COP"))) == set()
    fault = fault_of(validator, edited(ADMITTED, other_receiver("COP", "x")), FaultCode.E21)
    assert fault.path == "/MsgHead/MsgInfo/OtherReceiver/Organisation"


def test_who_was_told_before_is_not_the_exchanges_to_name(validator: Validator) -> None:
    assert rejects(validator, edited(ADMITTED, other_receiver("OR", "x"))) == set()


def test_a_copy_receiver_does_not_stand_in_for_the_receiver(validator: Validator) -> None:
    content = edited(ADMITTED, other_receiver("PRIM", str(RECEIVER)))
    before, tag, after = content.decode().partition("<Receiver>")
    after = after.replace("<Id>8110000</Id>", "<Id>x</Id>", 1).replace(f"<Id>{RECEIVER}</Id>", "<Id>x</Id>", 1)
    faults = validator.judge((before + tag + after).encode()).faults
    assert [(fault.code, fault.rule) for fault in faults] == [(FaultCode.E21, RuleName.RECEIVER_HER_ID)]


@pytest.mark.parametrize("side", ["Sender", "Receiver"])
def test_a_receipt_names_both_parties(side: str, validator: Validator) -> None:
    before, tag, after = RECEIPT.decode().partition(f"<{side}>")
    inside, end, rest = after.partition(f"</{side}>")
    content = (before + tag + inside.replace('V="HER"', 'V="ENH"') + end + rest).encode()
    assert fault_of(validator, content, FaultCode.E21).path == f"/AppRec/{side}/HCP"


def test_a_receipt_on_one_level_is_taken(validator: Validator) -> None:
    content = nowhere(RECEIPT, "<Dept>", "</Dept>")
    assert rejects(validator, content) == set()


@pytest.mark.parametrize("name", ["Solvik kommune", "Sykepleietjenesten", "Fjordheim sykehus", "Medisinsk avdeling"])
def test_a_party_without_a_name_is_warned_of(name: str, validator: Validator) -> None:
    assert "party-names" in warns(validator, edited(ADMITTED, (f">{name}<", "> <")))


# Whom it is about


@pytest.mark.parametrize(
    ("changes", "identified"),
    [
        ([], True),
        ([('V="FNR"', 'V="DNR"'), ("<DateOfBirth>1935-07-05</DateOfBirth>", "")], True),
        ([('V="FNR"', 'V="FHN"'), ('<Sex V="1" DN="Mann"/>', "")], True),
        ([('V="FNR"', 'V="HNR"')], True),
        ([('V="FNR"', 'V="HNR"'), ('<Sex V="1" DN="Mann"/>', "")], False),
        ([('V="FNR"', 'V="HNR"'), ("<DateOfBirth>1935-07-05</DateOfBirth>", "")], False),
        ([("<Id>05073500186</Id>", "<Id> </Id>"), ('<Sex V="1" DN="Mann"/>', "")], False),
        ([("<FamilyName>Sørgård</FamilyName>", "")], True),
        ([("<FamilyName>Sørgård</FamilyName>", ""), ("<GivenName>Ærlend</GivenName>", "")], False),
        ([("<FamilyName>Sørgård</FamilyName>", "<FamilyName> </FamilyName>"), (">Ærlend<", "><")], False),
    ],
)
def test_a_name_and_a_number_or_date_of_birth_and_sex_are_enough(
    *, changes: list[tuple[str, str]], identified: bool, validator: Validator
) -> None:
    codes = rejects(validator, edited(ADMITTED, *changes))
    assert codes == (set() if identified else {"E36"})


@pytest.mark.parametrize("content", [OLD_REFERRAL, SUMMARY])
def test_the_patient_of_a_message_without_msghead_is_identified_too(content: bytes, validator: Validator) -> None:
    number = nowhere(content, "<OffId>", "</OffId>")
    assert rejects(validator, number) == set(), "date of birth and sex are there"
    fault = fault_of(validator, nowhere(number, "<Sex", "/>"), FaultCode.E36)
    assert (fault.path or "").endswith("/Patient")
    assert rejects(validator, nowhere(content, "<Name>", "</Name>")) - {"T02"} in (set(), {"E36"})


@pytest.mark.parametrize("name", [n for n in fixtures.valid() if "/apprec/" not in n and "dialog_avvik" not in n])
def test_every_message_about_a_patient_names_one(name: str, validator: Validator) -> None:
    content = fixtures.read(name)
    root = "/Message" if b"<Message" in content else "/MsgHead"
    without = re.sub(rb"<Patient>.*?</Patient>", b"", content, count=1, flags=re.DOTALL)
    assert (fault_of(validator, without, FaultCode.E36).path or "").startswith(root)


@pytest.mark.parametrize("content", [DEVIATION, RECEIPT])
def test_a_message_about_a_message_needs_no_patient(content: bytes, validator: Validator) -> None:
    without = nowhere(content, "<Patient>", "</Patient>") if b"<Patient>" in content else content
    assert rejects(validator, without) == set()


@pytest.mark.parametrize("content", [EMERGENCY, edited(OLD_REFERRAL, ('<Priority V="', '<Priority V="0" DN="" U="'))])
def test_an_emergency_referral_is_never_refused_for_its_patient(content: bytes, validator: Validator) -> None:
    content = content.replace(b'DN="" U="', b'DN="').replace(b'DN="3" DN=', b"DN=")
    nameless = nowhere(content, "<Patient>", "</Patient>")
    assert "E36" not in rejects(validator, nameless)
    assert "patient-in-emergency" in {warning.code.value for warning in validator.judge(nameless).warnings}


@pytest.mark.parametrize(
    ("kind", "number", "valid"),
    [
        ("FNR", "05073500186", True),
        ("FNR", "05073500187", False),
        ("FNR", "15073500186", False),
        ("FNR", "31777207884", True),  # month + 65
        ("FNR", "5073500186", False),
        ("FNR", "05073500186x", False),
        ("FNR", "", False),
        ("FNR", "70019950032", False),  # a D-number
        ("DNR", "70019950032", True),
        ("DNR", "05073500186", False),
        ("FHN", "80008621423", True),
        ("FHN", "05073500186", False),
        ("FNR", "٠٥٠٧٣٥٠٠١٨٦", False),
    ],
)
def test_numbers_of_persons_have_their_date_and_check_digits(*, kind: str, number: str, valid: bool) -> None:
    assert is_valid(kind, number) is valid


@pytest.mark.parametrize(("kind", "added"), [*product(["FNR", "DNR"], [0, 40, 65, 80]), ("HNR", 0)])
def test_every_synthetic_series_is_a_number_of_its_kind(kind: str, added: int) -> None:
    assert is_valid(kind, number_of(kind, added))
    assert not is_valid(kind, number_of(kind, 13))
    assert not is_valid(kind, number_of(kind, added, day=0))


def number_of(kind: str, added: int, *, day: int = 15) -> str:
    """Make a number of a kind: the individual number that first gives two check digits of one place each."""
    day += 40 if kind == "DNR" else 0
    month = (6 + added + (40 if kind == "HNR" else 0)) % 100
    for individual in range(1000):
        stem = f"{day:02}{month:02}85{individual:03}"
        first = -sum(int(a) * b for a, b in zip(stem, (3, 7, 6, 1, 8, 9, 4, 5, 2), strict=True)) % 11
        second = -sum(int(a) * b for a, b in zip(f"{stem}{first}", (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=False)) % 11
        if first < 10 and second < 10:
            return f"{stem}{first}{second}"
    raise AssertionError


@pytest.mark.parametrize(
    ("content", "number"), [(ADMITTED, "05073500186"), (OLD_REFERRAL, "05073500186"), (SUMMARY, "05073500186")]
)
def test_a_slip_in_the_patients_number_is_warned_of(content: bytes, number: str, validator: Validator) -> None:
    spoilt = content.replace(f">{number}<".encode(), b">05073500187<")
    if spoilt == content:
        found = content.decode().partition("<OffId>")[2].partition("<")[0]
        spoilt = content.replace(
            f"<OffId>{found}<".encode(), f"<OffId>{found[:-1]}{(int(found[-1]) + 1) % 10}<".encode()
        )
    assert warns(validator, spoilt) == {"person-numbers"}


# What it says


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("log_innlagt_n", "1", "3"),
        ("log_utskrivningsklar_n", "3", "4"),
        ("log_utskrivningsklar_n", "1", "2"),
        ("log_avmelding_n", "4", "3"),
        ("log_utskrevet_n", "2", "1"),
        ("log_dod_n", "13", "2"),
    ],
)
@pytest.mark.parametrize("version", ["1.5", "1.6", "2.0"])
def test_the_event_is_that_of_the_type(name: str, right: str, wrong: str, version: str, validator: Validator) -> None:
    content = fixtures.read(f"valid/plo/{version}/{name}.xml")
    spoilt = content.replace(f'Hendelsekode V="{right}"'.encode(), f'Hendelsekode V="{wrong}"'.encode())
    assert spoilt != content
    assert warns(validator, spoilt) == {"content-codes"}


@pytest.mark.parametrize(
    ("name", "right", "wrong"), [("utskrivningsrapport_n", 11, 12), ("fodsels_epikrise_n", 12, 11)]
)
def test_the_content_of_a_report_is_that_of_its_type(name: str, right: int, wrong: int, validator: Validator) -> None:
    content = edited(fixtures.read(f"valid/plo/1.6/{name}.xml"), (f'V="{right}" S="2.16.578.1.12.4.1.1.9139"',) * 2)
    assert warns(validator, content) == set()
    spoilt = edited(content, (f'V="{right}" S="2.16.578.1.12.4.1.1.9139"', f'V="{wrong}" S="2.16.578.1.12.4.1.1.9139"'))
    assert warns(validator, spoilt) == {"content-codes"}


@pytest.mark.parametrize("name", ["henvisning_nytilstand_n", "henvisning_videre_n"])
def test_a_referral_goes_to_one_receiver(name: str, validator: Validator) -> None:
    content = fixtures.read(f"valid/henvisning/2.0/{name}.xml")
    assert warns(validator, edited(content, other_receiver("COP"))) == {"one-receiver"}
    assert warns(validator, edited(ADMITTED, other_receiver("COP"))) == set()


@pytest.mark.parametrize(
    ("name", "changeable"),
    [
        ("plo/1.5/log_innlagt_n", False),
        ("plo/1.6/log_innlagt_n", False),
        ("plo/2.0/log_innlagt_n", False),
        ("plo/1.6/orientering_tjenestetilbud_n", False),
        ("plo/1.6/medisinske_opplysninger_n", False),
        ("plo/1.6/helseopplysninger_lege_n", False),
        ("plo/1.6/helseoppl_soknad_oppdatert_n", True),
        ("plo/1.6/innleggelsesrapport_n", True),
        ("plo/1.6/utskrivningsrapport_n", True),
        ("henvisning/2.0/henvisning_nytilstand_n", True),
        ("henvisning/1.1/henvisning_n", True),
        ("henvisning/1.0/henvisning_n", True),
        ("epikrise/1.2/epikrise_n", True),
        ("epikrise/1.1/epikrise_n", True),
    ],
)
def test_d4_1_what_may_be_changed_and_what_is_cancelled_instead(
    *, name: str, changeable: bool, validator: Validator
) -> None:
    content = fixtures.read(f"valid/{name}.xml")
    for status, allowed in (("M", changeable), ("C", True), ("A", False), ("H", False)):
        changed = re.sub(rb'(Forsendelsesstatus|ServType) V="N"', rb'\1 V="%s"' % status.encode(), content, count=1)
        assert changed != content
        assert ("dispatch-status" in warns(validator, changed)) is not allowed


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


# Codes


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ('Forsendelsesstatus V="N" DN="Ny"', 'Forsendelsesstatus V="N"', None),
        ('RefDoc>\n      <IssueDate V="2025', 'RefDoc>\n      <IssueDate V="2024', None),
        ('<MsgType V="XML"', '<MsgType V="PDF"', "code-in-list"),
        ('<Type V="H" DN="Bostedsadresse"/>', '<Type V="HJEM" DN="Bostedsadresse"/>', "code-in-list"),
        ('V="HPR" S="2.16.578.1.12.4.1.1.8116"', 'V="HPR" S="2.16.578.1.12.4.1.1.9051"', "code-in-list"),
        ('V="HPR" S="2.16.578.1.12.4.1.1.8116"', 'V="HPR" S="2.16.578.1.12.4.1.1.9999"', None),
        ('V="HPR" S="2.16.578.1.12.4.1.1.8116"', 'V="KJØTT" S="2.16.578.1.12.4.1.1.9999"', "code-in-list"),
        ('V="19" S="2.16.578.1.12.4.1.1.9034"', 'V=" 19 " S=" 2.16.578.1.12.4.1.1.9034 "', None),
        ('V="19" S="2.16.578.1.12.4.1.1.9034" DN', 'V="19" S="2.16.578.1.12.4.1.1.9034" OT', "code-attributes"),
        ('V="19" S="2.16.578.1.12.4.1.1.9034"', 'V="19"', "code-attributes"),
        ('V="1" S="2.16.578.1.12.4.1.1.9121"', 'V="1" S="2.16.578.1.12.4.1.1.9140"', None),
    ],
)
def test_a_code_is_of_its_list_and_names_it(old: str, new: str, rule: str | None, validator: Validator) -> None:
    assert warns(validator, edited(ADMITTED, (old, new))) == ({rule} if rule else set())


def test_the_same_in_many_places_is_told_once_and_counted(validator: Validator) -> None:
    content = ADMITTED.replace(b' S="2.16.578.1.12.4.1.1.9051"', b"")
    (warning,) = validator.judge(content).warnings
    assert warning.code is RuleName.CODE_ATTRIBUTES
    assert "The same in 5 more places." in warning.text
    assert "Det samme 5 steder til." in warning.norwegian
    assert warning.path == "/MsgHead/MsgInfo/Sender/Organisation/Ident[1]/TypeId"


def test_a_code_of_the_kind_that_names_no_list_needs_none(validator: Validator) -> None:
    assert b'TypeId V="HER" S=' not in RECEIPT
    assert warns(validator, RECEIPT) == set()


# Attachments


PDF, PNG, JPEG, TIFF = b"%PDF-1.4\n", b"\x89PNG\r\n\x1a\n\x00", b"\xff\xd8\xff\xe0", b"II*\x00\x01"


def attached(mime: str | None, content: bytes, *, inside: str = "") -> bytes:
    document = with_attachment(ADMITTED, base64.b64encode(content)).decode()
    named = "" if mime is None else f"<MimeType>{mime}</MimeType>"
    return (
        document.replace("<MimeType>application/pdf</MimeType>", named + inside)
        .replace('<MsgType V="A"/>', '<MsgType V="A" DN="Vedlegg"/>')
        .encode()
    )


@pytest.mark.parametrize(
    ("mime", "content", "warned"),
    [
        ("application/pdf", PDF, False),
        ("Application/PDF; name=a.pdf", PDF, False),
        ("application/pdf", PNG, True),
        ("application/pdf", b"\x00\x01", True),
        ("image/png", PNG, False),
        ("image/jpeg", JPEG, False),
        ("image/jpg", JPEG, False),
        ("image/jpeg", PNG, True),
        ("image/tiff", TIFF, False),
        ("text/plain", "Blåbær og rømme".encode("latin-1"), False),
        ("text/plain", PDF, True),
        ("text/plain", b"MZ og BM er to bokstaver", False),
        ("text/plain", b"\x00\x01", True),
        (None, PDF, True),
    ],
)
def test_an_attachment_is_what_it_says(*, mime: str | None, content: bytes, warned: bool, validator: Validator) -> None:
    assert warns(validator, attached(mime, content)) == ({"attachment-bytes"} if warned else set())


@pytest.mark.parametrize("mime", ["application/zip", "application/octet-stream", "text/html", "pdf", "image/svg+xml"])
def test_an_attachment_of_another_type_is_refused(mime: str, validator: Validator) -> None:
    fault = fault_of(validator, attached(mime, PDF), FaultCode.T99)
    assert fault.path == "/MsgHead/Document[2]/RefDoc/MimeType"
    assert "application/pdf" in fault.text


@pytest.mark.parametrize(
    "content",
    [
        b"MZ\x90\x00",
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
        b"\x7fELF",
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!\x1a\x07",
        b"\xd0\xcf\x11\xe0",
    ],
)
@pytest.mark.parametrize("mime", ["application/pdf", "text/plain", "image/png", None])
def test_a_program_or_an_archive_is_refused_whatever_it_says_it_is(
    mime: str | None, content: bytes, validator: Validator
) -> None:
    fault = fault_of(validator, attached(mime, content), FaultCode.T99)
    assert fault.rule is RuleName.ATTACHMENT_PROGRAM
    assert fault.path == "/MsgHead/Document[2]/RefDoc"


@pytest.mark.parametrize("hiding", ["<!-- -->{}", "T<!-- -->VqQ{:.0}", "<![CDATA[{}]]>", "<?p?>\n {}"])
def test_a15_a_comment_does_not_hide_what_an_attachment_is(hiding: str, validator: Validator) -> None:
    written = base64.b64encode(b"MZ\x90").decode()
    content = with_attachment(ADMITTED, hiding.format(written).encode())
    assert RuleName.ATTACHMENT_PROGRAM in {fault.rule for fault in validator.judge(content).faults}


def test_base64_in_letters_of_other_alphabets_is_a_fault(validator: Validator) -> None:
    for spoilt in ("ÆØÅæ", "\uff31\uff35\uff26\uff22", "QUFB\u00e6QUFB", "QUFB\U0001f600", "\u0410\u0410\u0410\u0410"):
        assert "T02" in rejects(validator, with_attachment(ADMITTED, spoilt.encode()))


def test_an_attachment_keeps_the_operators_limits(catalogue: Catalogue) -> None:
    strict = Validator(catalogue, limits=Limits(attachment_bytes=100, attachment_types=frozenset({"image/png"})))
    assert strict.judge(attached("image/png", PNG)).accepted
    assert fault_of(strict, attached("image/png", PNG + bytes(100)), FaultCode.T99).rule is RuleName.ATTACHMENT_LIMIT
    assert "expected image/png." in fault_of(strict, attached("application/pdf", PDF), FaultCode.T99).text


def test_what_is_compressed_does_not_show_its_type(validator: Validator) -> None:
    content = attached("application/pdf", b"\x1f\x8b\x08", inside='<Compression V="GZ" DN="Gzip"/>')
    assert warns(validator, content) == set()


def test_base64_that_does_not_decode_is_a_schema_fault(validator: Validator) -> None:
    for spoilt in (b"JVBERi0xLjQ", b"JVBE*i0xLjQK", b"===="):
        assert rejects(validator, with_attachment(ADMITTED, spoilt)) == {"T02"}


@pytest.mark.parametrize("mime", ["application/pdf", "image/png"])
def test_an_attachment_is_in_the_message(mime: str, validator: Validator) -> None:
    content = attached(mime, b"")
    assert "attachment-missing" in warns(validator, content)
    elsewhere = nowhere(content, "<Content><b:Base64Container", "</Content>")
    assert warns(validator, elsewhere) == {"attachment-missing"}
    elsewhere = edited(elsewhere, ("</MimeType></RefDoc>", "</MimeType><FileReference>a</FileReference></RefDoc>"))
    assert warns(validator, elsewhere) == {"attachment-missing"}


def test_large_attachments_are_warned_of_together(validator: Validator) -> None:
    half = PDF + bytes(Limits().attachments_bytes // 2 - len(PDF))
    two = with_attachment(attached("application/pdf", half), base64.encodebytes(half))
    two = two.replace(b'<MsgType V="A"/>', b'<MsgType V="A" DN="Vedlegg"/>')
    assert warns(validator, two) == set()
    assert warns(validator, with_attachment(two, base64.b64encode(PDF))) == {"attachment-size"}


@pytest.mark.parametrize("size", [0, 1, 2, 3, 56, 57, 58, 1000])
def test_a_decoded_size_is_told_without_decoding(size: int) -> None:
    assert decoded_size(base64.encodebytes(bytes(size)).decode()) == size
    assert decoded_size(f"\n  {base64.b64encode(bytes(size)).decode()}\r\n\t") == size


# Habits of writing


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ([('<?xml version="1.0" encoding="UTF-8"?>\n', "")], {"encoding-declared"}),
        ([('encoding="UTF-8"', "")], {"encoding-declared"}),
        ([("<City>Drammen</City>", "<City/>")], {"empty-elements"}),
        ([("<City>Drammen</City>", "<City>\n </City>")], {"empty-elements"}),
        ([("<City>Drammen</City>", "<City><!-- by --></City>")], {"empty-elements"}),
        ([("<City>Drammen</City>", "<City>Drammen<!-- by --></City>")], set()),
        ([("<City>Drammen</City>", "<City><![CDATA[Drammen]]></City>")], set()),
        ([("<City>Drammen</City>", "<City><![CDATA[]]></City>")], {"empty-elements"}),
        ([("<City>Drammen</City>", "<City> Drammen</City>")], set()),
        ([("<City>Drammen</City>", "<City>Drammen </City>")], {"trailing-blanks"}),
        ([("<City>Drammen</City>", "<City>Drammen&#10;</City>")], {"trailing-blanks"}),
        ([("<City>Drammen</City>", "<City>Drammen<!-- by --> </City>")], {"trailing-blanks"}),
        ([("<City>Drammen</City>", "<City>Drammen <!-- by --></City>")], {"trailing-blanks"}),
        ([("tel:75589889", "75589889")], {"telecom-address"}),
        ([("tel:75589889", "fax:75589889")], set()),
        ([("tel:75589889", "mailto:lege@example.no")], set()),
    ],
)
def test_a_habit_of_writing_is_warned_of(changes: list[tuple[str, str]], rules: set[str], validator: Validator) -> None:
    assert warns(validator, edited(ADMITTED, *changes)) == rules


def test_formatted_text_may_have_empty_cells_and_blanks(validator: Validator) -> None:
    table = '<table xmlns="http://www.w3.org/1999/xhtml"><tr><td/><td> x </td></tr></table>'
    content = edited(TO_A_PERSON, ("<TekstNotatInnhold>", f"<TekstNotatInnhold>{table}"))
    assert warns(validator, content) == set()


def test_the_schema_alone_holds_no_rule(validator: Validator) -> None:
    content = edited(ADMITTED, (f">{MSG_ID}<", "><"), (f"<Id>{SENDER}</Id>", "<Id>x</Id>"), ("<Id>8100000<", "<Id>x<"))
    assert not validator.judge(content).accepted
    alone = validator.judge(content, schema_only=True)
    assert alone.accepted
    assert alone.warnings == ()
