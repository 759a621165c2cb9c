"""Faults are told in words that help, and never with a word of the document."""

from __future__ import annotations

import re
import time

import pytest
from edits import ADMITTED, RECEIPT, REFERRAL, TO_A_PERSON, edited, nowhere
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

import fixtures
from messaging.documents import Catalogue, Validator, Verdict
from messaging.model.faults import MOST_FAULTS, FaultCode

CANARY = "Kanarifugl"
REPORT = fixtures.read("valid/plo/1.6/innleggelsesrapport_n.xml")
STARTS = (ADMITTED, REPORT, REFERRAL, TO_A_PERSON, RECEIPT)


@pytest.mark.parametrize(
    ("changes", "path", "text"),
    [
        (
            [("2025-03-03T09:05:12</GenDate>", "i dag</GenDate>")],
            "/MsgHead/MsgInfo/GenDate",
            "GenDate must be a date and a time, such as 2024-05-31T13:45:00+02:00.",
        ),
        (
            [("<Anslag>false", "<Anslag>nei")],
            "/MsgHead/Document/RefDoc/Content/Pasientlogistikk/MeldingInnlagtPasient/TidsfestetHendelse/Anslag",
            "Anslag must be true or false.",
        ),
        (
            [('V="2025-03-03T08:40:00"', 'V="08.40"')],
            (
                "/MsgHead/Document/RefDoc/Content/Pasientlogistikk/MeldingInnlagtPasient/TidsfestetHendelse"
                "/TidspunktForHendelse/@V"
            ),
            (
                "The attribute V of TidspunktForHendelse must be a date and a time, a date, a year, a year and a "
                "month, or a time of day."
            ),
        ),
        (
            [("v1.2 2006-05-24", "v1.3")],
            "/MsgHead/MsgInfo/MIGversion",
            'MIGversion must be exactly "v1.2 2006-05-24".',
        ),
        (
            [('S="2.16.578.1.12.4.1.1.9051"', 'S="9051 "'), ('S="9051 "', 'S="HER"')],
            "/MsgHead/MsgInfo/Sender/Organisation/Ident[1]/TypeId/@S",
            "The attribute S of TypeId must be an OID: digits and points, such as 2.16.578.1.12.4.1.1.9051.",
        ),
        (
            [("<GenDate>", "<Ack V='J'/><GenDate>")],
            "/MsgHead/MsgInfo/Ack",
            "Ack is not expected here; expected GenDate.",
        ),
        (
            [("<GenDate>", "<Sted/><GenDate>")],
            "/MsgHead/MsgInfo/*[3]",
            "An unknown element is not expected here; expected GenDate.",
        ),
        (
            [("</Sender>", "</Sender><Sender/>")],
            "/MsgHead/MsgInfo/Sender[2]",
            "Sender is not expected here; expected Receiver.",
        ),
        (
            [("<Sender>", '<Sender xmlns="urn:x">')],
            "/MsgHead/MsgInfo/Sender",
            "Sender is not in the namespace that is expected here: http://www.kith.no/xmlstds/msghead/2006-05-24.",
        ),
        (
            [('<Sex V="1"', '<Sex Kjonn="1"')],
            "/MsgHead/MsgInfo/Patient/Sex/@*",
            "An unknown attribute is not allowed on Sex.",
        ),
        (
            [("<City>", "<City V='1'>")],
            "/MsgHead/MsgInfo/Patient/Address/City/@V",
            "The attribute V is not allowed on City.",
        ),
        (
            [("<City>", "<City><City/>")],
            "/MsgHead/MsgInfo/Patient/Address/City",
            "City must hold text only, and no elements.",
        ),
        (
            [('<Sex V="1" DN="Mann"/>', "<Sex>1</Sex>")],
            "/MsgHead/MsgInfo/Patient/Sex",
            "Sex must be empty; what it says stands in its attributes.",
        ),
        (
            [("<Patient>", "<Patient>Mann")],
            "/MsgHead/MsgInfo/Patient",
            "Patient must hold elements only: text stands between or instead of them.",
        ),
        (
            [("</Content>", "<Sted/></Content>")],
            "/MsgHead/Document/RefDoc/Content/*[2]",
            "An unknown element, in this namespace, is no element that the schemas know here.",
        ),
    ],
)
def test_a_fault_says_what_where_and_what_was_expected(
    changes: list[tuple[str, str]], path: str | None, text: str, validator: Validator
) -> None:
    faults = validator.judge(edited(ADMITTED, *changes)).faults
    assert (path, text) in [(fault.path, fault.text) for fault in faults]


@pytest.mark.parametrize(
    ("start", "end", "path", "text"),
    [
        ("<Patient>", "</Patient>", None, None),
        ("<TypeId", "/>", "/MsgHead/MsgInfo/Sender/Organisation/Ident[1]", "Ident is not complete: expected TypeId."),
        ("<Document>", "</Document>", "/MsgHead", "MsgHead is not complete: expected Document or PatientReport."),
        ("<MsgId>", "</MsgId>", "/MsgHead/MsgInfo/Sender", "Sender is not expected here; expected MsgId."),
    ],
)
def test_what_is_missing_is_named(
    start: str, end: str, path: str | None, text: str | None, validator: Validator
) -> None:
    faults = [fault for fault in validator.judge(nowhere(ADMITTED, start, end)).faults if fault.code is FaultCode.T02]
    assert [(fault.path, fault.text) for fault in faults] == ([(path, text)] if text else [])


def test_a_missing_attribute_and_its_codes_are_named(validator: Validator) -> None:
    content = edited(
        REPORT,
        (' komponentID="9531985d-5d9d-49f8-9818-e811892f902b"', ""),
        ('basiskomponenttype="EPJ sak"', 'basiskomponenttype="x"'),
    )
    told = " ".join(fault.text for fault in validator.judge(content).faults)
    assert "The attribute komponentID is missing on " in told
    assert re.search(r"The attribute basiskomponenttype of \w+ must be Mappe, EPJ sak, .* or EPJ ekstrakt\.", told)


def test_lines_and_order_are_those_of_the_document(validator: Validator) -> None:
    content = edited(
        ADMITTED, ("<Anslag>false", "<Anslag>x"), ("<DateOfBirth>", "<DateOfBirth>x"), ("<GenDate>", "<GenDate>x")
    )
    faults = validator.judge(content).faults
    lines = content.decode().splitlines()
    assert [re.search(r"<(\w+)", lines[(fault.line or 0) - 1])[1] for fault in faults] == [  # type: ignore[index]
        "GenDate",
        "DateOfBirth",
        "Anslag",
    ]


def test_fifty_faults_are_told_and_the_rest_counted(validator: Validator) -> None:
    wrong = '<Ident><Id>1</Id><TypeId S="x"/></Ident>'
    for number in (MOST_FAULTS, MOST_FAULTS + 1, 1_000):
        content = edited(ADMITTED, ("</Ident>\n      <Address>", f"</Ident>{wrong * number}<Address>"))
        faults = validator.judge(content).faults
        assert len(faults) == MOST_FAULTS
        if number > MOST_FAULTS:
            assert faults[-1].text == f"There are {number - MOST_FAULTS + 1} more faults."


@pytest.mark.parametrize("digits", ["1", "1.", "12."])
def test_a_long_value_that_follows_no_pattern_is_refused_as_soon_as_a_short_one(
    digits: str, validator: Validator
) -> None:
    content = edited(ADMITTED, ('S="2.16.578.1.12.4.1.1.9051"', f'S="{digits * 20_000}x"'))
    start = time.process_time()
    assert not validator.judge(content).accepted
    assert time.process_time() - start < 0.5


def told(verdict: Verdict) -> str:
    return " ".join(f"{fault.text} {fault.path}" for fault in verdict.faults)


def places(content: bytes) -> list[str]:
    """Name every element of a document, by libxml2's own path."""
    root = etree.fromstring(content)
    return [root.getroottree().getpath(element) for element in root.iter("{*}*")]


def spoilt(content: bytes, place: str, way: str) -> bytes:
    """Put the canary into one place of a document."""
    root = etree.fromstring(content)
    nodes = [element for element in root.iter("{*}*") if root.getroottree().getpath(element) == place]
    (element,) = nodes
    if way == "text":
        element.text = CANARY
    elif way == "tail":
        element.tail = CANARY
    elif way == "name":
        element.tag = etree.QName(etree.QName(element).namespace, CANARY)
    elif way == "namespace":
        element.tag = etree.QName(f"urn:{CANARY}'({CANARY}):'{CANARY}'.", etree.QName(element).localname)
    elif way == "attribute":
        element.set(CANARY, CANARY)
    elif way == "type":
        element.set("{http://www.w3.org/2001/XMLSchema-instance}type", CANARY)
    elif way == "nil":
        element.set("{http://www.w3.org/2001/XMLSchema-instance}nil", CANARY)
    elif way == "child":
        element.insert(0, etree.Comment(CANARY))
        etree.SubElement(element, CANARY).text = f"'{CANARY}' is not a valid value of the atomic type '{CANARY}'."
    else:
        for name in element.attrib:
            element.set(name, f"'{CANARY}' is not an element of the set {{'{CANARY}'}}.")
    return etree.tostring(root)


WAYS = ("text", "tail", "name", "namespace", "attribute", "type", "nil", "child", "values")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("start", STARTS, ids=["admitted", "report", "referral", "person", "receipt"])
def test_no_word_of_the_document_is_told_wherever_it_stands(start: bytes, way: str, validator: Validator) -> None:
    for place in places(start):
        content = spoilt(start, place, way)
        assert CANARY not in told(validator.judge(content)), place
        assert CANARY not in told(validator.judge(content, schema_only=True)), place


@pytest.mark.parametrize("way", WAYS)
def test_every_schema_fault_has_a_line_and_a_path(way: str, validator: Validator) -> None:
    for place in places(ADMITTED):
        for fault in validator.judge(spoilt(ADMITTED, place, way)).faults:
            assert fault.line, (place, fault)
            assert fault.path or fault.code is FaultCode.T01, (place, fault)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_mutation_raises_or_tells_a_word(data: st.DataObject, catalogue: Catalogue, validator: Validator) -> None:
    content = bytearray(data.draw(st.sampled_from(STARTS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        what = data.draw(
            st.sampled_from(
                [CANARY, f"<{CANARY}>", f' {CANARY}="x"', f"&{CANARY};", f"<!--{CANARY}-->", f"<?{CANARY}?>"]
            )
            | st.binary(max_size=8)
        )
        content[at : at + data.draw(st.integers(0, 40))] = what.encode() if isinstance(what, str) else what
    verdict = validator.judge(bytes(content))
    assert CANARY not in told(verdict)
    assert len(verdict.faults) <= MOST_FAULTS
    words = set(re.findall(r"/(\w+)", " ".join(fault.path or "" for fault in verdict.faults)))
    assert words <= catalogue.vocabulary.elements


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=200) | st.text(alphabet="<>/!?-[]&;=\"' \nax:", max_size=60).map(str.encode))
def test_no_bytes_raise(content: bytes, validator: Validator) -> None:
    assert not validator.judge(content).accepted
