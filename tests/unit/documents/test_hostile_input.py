"""Hostile input beyond the collection: spoilt, cut off, hidden, swollen. Always a verdict, and never an exception."""

from __future__ import annotations

import base64
import random
import re
import time
from collections.abc import Callable

import pytest
from edits import ADMITTED, RECEIPT, edited, with_attachment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

import fixtures
from messaging.documents import Validator, Verdict, named_receivers
from messaging.documents.reader import Tree, read
from messaging.documents.rendering import render_html, render_text

SECONDS = 2.0
"""Of the processor; what is right is a hundredth of it."""


def is_well_formed(content: bytes) -> bool:
    """Ask libxml2 itself, without limits of ours."""
    try:
        etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except (etree.XMLSyntaxError, ValueError):
        return False
    return True


def judged(validator: Validator, content: bytes) -> Verdict:
    """Judge as every door does, read aloud, and look for whom to answer; hold the reader to libxml2."""
    begun = time.thread_time()
    verdict = validator.judge(content)
    assert time.thread_time() - begun < SECONDS
    if isinstance(read(content), Tree):
        assert is_well_formed(content)
        named_receivers(content)
        assert "<script" not in render_html(content)
        render_text(content)
    else:
        assert [fault.code.value for fault in verdict.faults] == ["T01"]
    return verdict


@pytest.mark.parametrize("content", [ADMITTED.rstrip(), RECEIPT.rstrip()], ids=["message", "apprec"])
def test_no_beginning_of_a_document_is_taken_for_the_document(content: bytes, validator: Validator) -> None:
    for length in range(len(content)):
        assert not validator.judge(content[:length]).accepted, length


@pytest.mark.parametrize("spoil", [lambda byte: byte ^ 0x20, lambda _: 0x3C, lambda _: 0xFF], ids=["bit", "lt", "ff"])
def test_every_single_changed_byte_gets_a_verdict_that_agrees_with_libxml2(
    spoil: Callable[[int], int], validator: Validator
) -> None:
    for at in range(len(RECEIPT)):
        changed = RECEIPT[:at] + bytes([spoil(RECEIPT[at])]) + RECEIPT[at + 1 :]
        verdict = validator.judge(changed)
        if not is_well_formed(changed):
            assert [fault.code.value for fault in verdict.faults] == ["T01"], at


TOKENS = [
    *(b"<", b">", b"&", b'"', b"'", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?x ?>", b"&#0;", b"&#x10FFFF;"),
    *(b"&#xD800;", b"&a;", b"<!DOCTYPE a>", b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xc3\x28"),
    *(b" xmlns=''", b" xmlns:x='u'", b"9" * 5_000, b"1e400", b"\xf0\x9f\x98\x80", b"\xe2\x80\xae", b"<a>" * 70),
    *(b"0000-00-00", b"9999999-12-31T23:59:59Z", "ÆØÅ".encode(), b"</MsgHead>", b"A" * 300, b"%s%n", b"{{7*7}}"),
    b"<script>alert(1)</script>",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_spoilt_documents_of_every_kind_get_a_verdict(seed: int, validator: Validator) -> None:
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not secret
    documents = [fixtures.read(name) for name in fixtures.valid()]
    for _ in range(150):
        content = chance.choice(documents)
        for _ in range(chance.choice([1, 1, 2, 5])):
            places = [*re.finditer(rb'(?<=>)[^<>]+(?=<)|(?<==")[^"]*(?=")|<[^<>]+>', content)]
            place = chance.choice(places)
            content = content[: place.start()] + chance.choice(TOKENS) + content[place.end() :]
        judged(validator, content)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from([*TOKENS, b"a", b"<a>", b"</a>", b"<a b=", b"<?xml version='1.0'?>", b"\n"]), max_size=25)
)
def test_any_soup_of_markup_gets_a_verdict(validator: Validator, parts: list[bytes]) -> None:
    judged(validator, b"".join(parts))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_get_a_verdict(validator: Validator, content: bytes) -> None:
    judged(validator, content)


# Identifiers that say two things at once (A15)

HIDINGS: dict[str, Callable[[str], str]] = {
    "comment": lambda value: f"{value[:3]}<!-- 9 -->{value[3:]}",
    "instruction": lambda value: f"{value[:4]}<?p 9?>{value[4:]}",
    "cdata": lambda value: f"<![CDATA[{value[:3]}]]>{value[3:]}",
    "reference": lambda value: f"&#{ord(value[0])};{value[1:-1]}&#x{ord(value[-1]):x};",
    "comment first": lambda value: f"<!-- 8120001 -->{value}",
    "comment last": lambda value: f"{value}<!-- 8120001 -->",
}


@pytest.mark.parametrize("hide", HIDINGS.values(), ids=HIDINGS)
@pytest.mark.parametrize(("element", "value"), [("Id", "8110001"), ("MsgId", "f2e28209-c1ef-5f9e-bca8-e3db824d553c")])
def test_a15_an_identifier_is_the_same_for_everybody_who_reads_it(
    element: str, value: str, hide: Callable[[str], str], validator: Validator
) -> None:
    hidden = hide(value)
    content = edited(ADMITTED, (f"<{element}>{value}</{element}>", f"<{element}>{hidden}</{element}>"))
    assert judged(validator, content).envelope == validator.judge(ADMITTED).envelope
    canonical = etree.tostring(etree.fromstring(content), method="c14n", exclusive=True, with_comments=False)
    assert f"<{element}>{value}</{element}>".encode() in re.sub(rb"<\?.*?\?>", b"", canonical)


NO_HER_IDS = ["9" * 30, "9" * 5_000, "-8110001", "0x7bbf71", "8110001.0", "8.110001e6", "8110001 8110002", ""]
ARABIC = "".join(chr(0x660 + int(digit)) for digit in "8110001")
FULL_WIDTH = "".join(chr(0xFF10 + int(digit)) for digit in "8110001")


@pytest.mark.parametrize("number", [*NO_HER_IDS, ARABIC, FULL_WIDTH])
def test_a_her_id_that_is_none_names_nobody(number: str, validator: Validator) -> None:
    verdict = judged(validator, edited(ADMITTED, ("<Id>8110001</Id>", f"<Id>{number}</Id>")))
    assert not verdict.accepted
    assert verdict.envelope is None or all(r.address.her_id in (None, 8110000) for r in verdict.envelope.receivers)


# Swollen


def nested(depth: int) -> bytes:
    return b"".join(b'<a%d xmlns:p="urn:%d" p:b="">' % (i, i) for i in range(depth)) + b"".join(
        b"</a%d>" % i for i in range(depth)[::-1]
    )


SWOLLEN = {
    "redeclared prefixes": nested(64),
    "references": b"<a>%s</a>" % (b"&#38;" * 200_000),
    "attributes of references": b'<a b="%s"/>' % (b"&#10;" * 200_000),
    "sections": b"<a>%s</a>" % (b"<![CDATA[]]>" * 99_000),
    "brackets in a section": b"<a><![CDATA[%s]]></a>" % (b"]" * 500_000),
    "hyphens": b"<a><!--%s--></a>" % (b"- " * 250_000),
    "blanks in a tag": b"<a%s/>" % (b" " * 1_000_000),
    "colons": b"<a %s='x'/>" % (b":" * 10_000),
    "one text": b"<a>%s</a>" % (b"x" * 9_000_000),
    "many of one name": ADMITTED.replace(b"<Document>", b"<Document/>" * 20_000 + b"<Document>", 1),
    "as many of one name as may be": ADMITTED.replace(b"<Document>", b"<Document/>" * 4_990 + b"<Document>", 1),
    "many receivers": ADMITTED.replace(b"<MsgId>", b"<OtherReceiver/>" * 20_000 + b"<MsgId>", 1),
    "one number of many digits": ADMITTED.replace(b"8110001", b"8" * 1_000_000),
}


@pytest.mark.parametrize("content", SWOLLEN.values(), ids=SWOLLEN)
def test_a5_what_is_swollen_is_answered_soon(content: bytes, validator: Validator) -> None:
    assert not judged(validator, content).accepted


@pytest.mark.parametrize(
    "inside",
    [
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://127.0.0.1:1/a"><a/>',
        ADMITTED,
    ],
)
def test_a1_a7_xml_inside_base64_is_carried_and_never_read(inside: bytes, validator: Validator) -> None:
    content = with_attachment(ADMITTED, base64.b64encode(inside)).replace(b"application/pdf", b"text/xml")
    verdict = judged(validator, content)
    assert verdict.accepted
    assert verdict.envelope == validator.judge(ADMITTED).envelope


# What a schema would let in (A11)

XSI = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '


@pytest.mark.parametrize(
    "change",
    [
        ("<MsgInfo>", f'<MsgInfo{XSI}xsi:type="xs:anyType" xmlns:xs="http://www.w3.org/2001/XMLSchema">'),
        ("<MsgInfo>", f'<MsgInfo{XSI}xsi:type="Nothing">'),
        ("<MsgInfo>", f'<MsgInfo{XSI}xsi:nil="true">'),
        ("<MsgId>", f'<MsgId{XSI}xsi:type="xs:anyType" xmlns:xs="http://www.w3.org/2001/XMLSchema">'),
        ("<MsgId>", f'<MsgId{XSI}xsi:nil="true">'),
        ("<MsgInfo>", '<MsgInfo><Evil xmlns="urn:evil"/>'),
        ("<MsgInfo>", '<MsgInfo evil="1">'),
        ("<MsgHead ", '<MsgHead xmlns:e="urn:evil" e:evil="1" '),
    ],
)
def test_a11_a_document_cannot_choose_a_laxer_type(change: tuple[str, str], validator: Validator) -> None:
    verdict = judged(validator, edited(ADMITTED, change))
    assert {fault.code.value for fault in verdict.faults} == {"T02"}
