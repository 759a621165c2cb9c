"""The one parser: which bytes it reads, which it refuses, and that it reaches for nothing outside them."""

from __future__ import annotations

import base64
import socket
import threading

import pytest
from edits import ADMITTED, edited, with_attachment

from messaging.documents import Validator
from messaging.documents.reader import MOST_ATTRIBUTES, MOST_DEPTH, MOST_ELEMENTS, MOST_REMARKS, Tree, read
from messaging.model.faults import Fault, FaultCode

LATIN = '<?xml version="1.0" encoding="ISO-8859-1"?><a>blåbær</a>'.encode("latin-1")
LARGE = b" " * 70_000
"""Makes a document large, so that every limit is held."""


def refusal(content: bytes) -> Fault:
    answer = read(content)
    assert isinstance(answer, Fault)
    assert answer.code is FaultCode.T01
    return answer


def tree(content: bytes) -> Tree:
    answer = read(content)
    assert isinstance(answer, Tree), answer
    return answer


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<a>blåbær</a>".encode(), "blåbær"),
        ('<?xml version="1.0"?><a>blåbær</a>'.encode(), "blåbær"),
        ("<?xml version='1.0' encoding='utf-8' standalone='yes' ?><a>blåbær</a>".encode(), "blåbær"),
        (b"\xef\xbb\xbf" + '<?xml version="1.0" encoding="UTF-8"?><a>blåbær</a>'.encode(), "blåbær"),
        (b"\xef\xbb\xbf" + "<a>blåbær</a>".encode(), "blåbær"),
        (LATIN, "blåbær"),
        (LATIN.replace(b"ISO", b"iso"), "blåbær"),
        (b"\r\n <!-- c --> <?p i?>\n<a>x</a><!-- after -->", "x"),
    ],
)
def test_utf8_and_declared_latin1_are_read(content: bytes, text: str) -> None:
    assert tree(content).root.text == text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "cp037", "cp500"])
@pytest.mark.parametrize("declaration", ['<?xml version="1.0" encoding="{}"?>', '<?xml version="1.0"?>', ""])
def test_no_other_encoding_is_read(encoding: str, declaration: str) -> None:
    refusal(f"{declaration.format(encoding)}<a>blåbær</a>".encode(encoding))


def test_utf7_hides_no_doctype() -> None:
    refusal(b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4APA-a/+AD4-')


@pytest.mark.parametrize("name", ["windows-1252", "ISO-8859-15", "US-ASCII", "UTF8", "utf-16", "shift_jis", "../x", ""])
def test_no_other_declaration_is_believed(name: str) -> None:
    assert refusal(f'<?xml version="1.0" encoding="{name}"?><a/>'.encode()).line == 1


def test_bytes_must_be_valid_in_the_encoding() -> None:
    assert "not valid in the document's encoding" in refusal(b"<a>bl\xe5b\xe6r</a>").text


def test_a_mark_of_utf8_contradicts_latin1() -> None:
    refusal(b"\xef\xbb\xbf" + LATIN)


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE a><a/>",
        b'<?xml version="1.0"?>\n<!-- - -->\n<?p i?>\n<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'\xef\xbb\xbf<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>',
        b"<!doctype a><a/>",
    ],
)
def test_a_doctype_is_refused_before_it_is_read(content: bytes) -> None:
    fault = refusal(content)
    assert "DOCTYPE" in fault.text
    assert fault.line == content[: content.upper().index(b"<!DOCTYPE")].count(b"\n") + 1


@pytest.mark.parametrize("version", ["1.1", "2.0", "1", ""])
def test_xml_is_of_version_1_0(version: str) -> None:
    refusal(f'<?xml version="{version}"?><a/>'.encode())


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"a", b'{"a": 1}', b"\x00", b"%PDF-1.7", b"<", b"<?xml", b"<!--", b"<?p"]
)
def test_what_is_no_xml_is_refused(content: bytes) -> None:
    refusal(content)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.999])
def test_a_document_that_is_cut_off_is_refused_with_its_line(share: float) -> None:
    content = ADMITTED[: int(len(ADMITTED.rstrip()) * share)]
    assert refusal(content).line


def test_a_fault_names_line_and_column_in_our_own_words() -> None:
    fault = refusal(b"<a>\n  <b>canary</c>\n</a>")
    assert fault.line == 2
    assert fault.text == "An end tag does not match the element that is open here (column 16)."


def test_elements_nest_no_deeper_than_the_limit() -> None:
    def nested(depth: int) -> bytes:
        return b"<a>" * depth + b"</a>" * depth

    tree(nested(MOST_DEPTH))
    assert str(MOST_DEPTH) in refusal(nested(MOST_DEPTH + 1)).text
    assert "deep" in refusal(nested(100_000)).text


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        (b"<b/>" * (MOST_ELEMENTS - 1), b"<b/>" * MOST_ELEMENTS),
        (b"<b/>" * (MOST_ELEMENTS - 1), b"<b/>" * (4 * MOST_ELEMENTS)),
        (b"<?p?>" * MOST_REMARKS, b"<?p?>" * (MOST_REMARKS + 1)),
        (b"<!---->" * MOST_REMARKS, b"<!---->" * (MOST_REMARKS + 1)),
        (
            b"<b %s/>" % b" ".join(b'a%d=""' % i for i in range(MOST_ATTRIBUTES)),
            b"<b %s/>" % b" ".join(b'a%d=""' % i for i in range(MOST_ATTRIBUTES + 1)),
        ),
        (
            b"<b %s/>" % b" ".join(b'xmlns:n%d="urn:%d"' % (i, i) for i in range(64)),
            b"<b %s/>" % b" ".join(b'xmlns:n%d="urn:%d"' % (i, i) for i in range(65)),
        ),
        (b"<%s/>" % (b"b" * 256), b"<%s/>" % (b"b" * 257)),
        (b"=" * 600_000, b'<b c= "d" />' * 90_000 + b"<b %s/>" % (b' c="d"' * 500_000)),
    ],
    ids=[
        "elements",
        "elements, many",
        "instructions",
        "comments",
        "attributes",
        "namespaces",
        "name",
        "all attributes",
    ],
)
def test_a_large_document_keeps_the_limits(within: bytes, beyond: bytes) -> None:
    tree(b"<a>" + LARGE + within + b"</a>")
    refusal(b"<a>" + LARGE + beyond + b"</a>")


def test_little_stands_before_the_root() -> None:
    tree(b"<!--" + b"x" * 10_000 + b"-->" + b"<a/>")
    assert "before the root" in refusal(b"<!--" + b"x" * 20_000 + b"-->" + b"<a/>").text


def test_an_attachment_of_twenty_four_megabytes_is_read_and_judged(validator: Validator) -> None:
    attachment = base64.b64encode(b"\x00\x01\x02" * 8_000_000)
    content = with_attachment(ADMITTED, attachment)
    assert len(content) > 32_000_000
    assert validator.judge(content).faults == ()


def test_every_new_name_is_forgotten_with_the_thread_that_read_a_large_document() -> None:
    before = threading.active_count()
    content = b"<a>" + b"".join(b"<n%d/>" % i for i in range(20_000)) + b"</a>"
    root = tree(content).root
    assert root[19_999].tag == "n19999"
    assert threading.active_count() == before


def test_instructions_and_references_to_the_outside_are_inert(validator: Validator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        there = f"http://127.0.0.1:{listening.getsockname()[1]}/a"
        content = edited(
            ADMITTED,
            ("<MsgHead ", f'<?xml-stylesheet href="{there}"?>\n<?xml-model href="{there}"?>\n<MsgHead '),
            (
                "<MsgInfo>",
                (
                    '<MsgInfo xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
                    f' xsi:schemaLocation="http://www.kith.no/xmlstds/msghead/2006-05-24 {there} urn:unknown {there}"'
                    f' xsi:noNamespaceSchemaLocation="{there}">'
                ),
            ),
        )
        assert validator.judge(content).accepted
        with pytest.raises(BlockingIOError):
            listening.accept()
