"""The one parser: which bytes it reads, which it refuses, and that it reaches for nothing outside them."""

from __future__ import annotations

import base64
import socket
import threading

import pytest
from edits import ADMITTED, edited, with_attachment

from messaging.documents import Validator
from messaging.documents.reader import Tree, read
from messaging.model.faults import Fault, FaultCode
from messaging.model.limits import AS_KEPT, Limits

LATIN = '<?xml version="1.0" encoding="ISO-8859-1"?><a>blåbær</a>'.encode("latin-1")
LIMITS = Limits()
LARGE = b" " * 70_000
"""Makes a document large, so that every limit is held."""


def refusal(content: bytes, limits: Limits = LIMITS) -> Fault:
    answer = read(content, limits)
    assert isinstance(answer, Fault)
    assert answer.code is FaultCode.T01
    return answer


def tree(content: bytes, limits: Limits = LIMITS) -> Tree:
    answer = read(content, limits)
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
def test_a6_no_other_encoding_is_read(encoding: str, declaration: str) -> None:
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

    tree(nested(LIMITS.depth))
    assert str(LIMITS.depth) in refusal(nested(LIMITS.depth + 1)).text
    assert "deep" in refusal(nested(100_000)).text


THOUSAND = b"<g>" + b"<b/>" * 999 + b"</g>"


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        (THOUSAND * 99 + b"<b/>" * 999, THOUSAND * 100),
        (THOUSAND * 99, THOUSAND * 400),
        (b"<b/>" * (LIMITS.children - 1), b"<b/>" * (LIMITS.children + 1)),
        (b"<?p?>" * LIMITS.remarks, b"<?p?>" * (LIMITS.remarks + 1)),
        (b"<!---->" * LIMITS.remarks, b"<!---->" * (LIMITS.remarks + 1)),
        (
            b"<b %s/>" % b" ".join(b'a%d=""' % i for i in range(LIMITS.attributes)),
            b"<b %s/>" % b" ".join(b'a%d=""' % i for i in range(LIMITS.attributes + 1)),
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
        "children",
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
    tree(b"<!--" + b"x" * 4_000 + b"-->" + b"<a/>")
    assert "before the root" in refusal(b"<!--" + b"x" * 5_000 + b"-->" + b"<a/>").text


def test_an_attachment_of_twenty_four_megabytes_is_read_and_judged(validator: Validator) -> None:
    attachment = base64.b64encode(b"\x00\x01\x02" * 8_000_000)
    content = with_attachment(ADMITTED, attachment)
    assert len(content) > 32_000_000
    assert validator.judge(content).faults == ()


def test_every_new_name_is_forgotten_with_the_thread_that_read_a_large_document() -> None:
    before = threading.active_count()
    groups = [b"<g>%s</g>" % b"".join(b"<n%d/>" % i for i in range(n, n + 1_000)) for n in range(0, 20_000, 1_000)]
    root = tree(b"<a>" + b"".join(groups) + b"</a>").root
    assert root[19][999].tag == "n19999"
    assert threading.active_count() == before


def test_instructions_and_references_to_the_outside_are_inert(validator: Validator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        there = f"http://127.0.0.1:{listening.getsockname()[1]}/a"
        content = edited(
            ADMITTED,
            ("<MsgHead ", f'<?xml-model href="{there}"?>\n<MsgHead '),
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


SMALL = Limits(
    document_bytes=2_000,
    prolog_bytes=60,
    depth=16,
    elements=100,
    children=50,
    attributes=8,
    attributes_in_all=100,
    declarations=8,
    remarks=3,
    name_characters=64,
    text_characters=1_000,
)


@pytest.mark.parametrize(
    ("limit", "within", "beyond", "line"),
    [
        ("document_bytes", b"<a>" + b" " * 1_000 + b"</a>", b"<a>" + b" " * 2_000 + b"</a>", None),
        ("prolog_bytes", b"<!--%s-->\n<a/>" % (b"c" * 50), b"<!--%s-->\n<a/>" % (b"c" * 60), 1),
        ("depth", b"<a>" * 16 + b"</a>" * 16, b"<a>" * 17 + b"</a>" * 17, None),
        ("elements", b"<a>%s</a>" % (b"<b><c/></b>" * 49), b"<a>%s</a>" % (b"<b><c/></b>" * 50), None),
        ("children", b"<a>\n<b>%s</b></a>" % (b"<c/>" * 50), b"<a>\n<b>%s</b></a>" % (b"<c/>" * 51), 2),
        (
            "attributes",
            b"<a>\n<b %s/></a>" % b" ".join(b"a%d=''" % one for one in range(8)),
            b"<a>\n<b %s/></a>" % b" ".join(b"a%d=''" % one for one in range(9)),
            2,
        ),
        (
            "attributes_in_all",
            b"<a>%s</a>" % (b"<b c='' d=''/>" * 50),
            b"<a>%s</a>" % (b"<b c='' d='' e=''/>" * 40),
            None,
        ),
        (
            "declarations",
            b"<a>\n<b %s/></a>" % b" ".join(b"xmlns:n%d='u:%d'" % (one, one) for one in range(8)),
            b"<a>\n<b %s/></a>" % b" ".join(b"xmlns:n%d='u:%d'" % (one, one) for one in range(9)),
            2,
        ),
        ("remarks", b"<a><!----><?p?><!----></a>", b"<a><!----><?p?><!----><?p?></a>", None),
        ("name_characters", b"<a>\n<%s/></a>" % (b"b" * 64), b"<a>\n<%s/></a>" % (b"b" * 65), 2),
        ("text_characters", b"<a>\n<b>%s</b></a>" % (b"t" * 1_000), b"<a>\n<b>%s</b></a>" % (b"t" * 1_001), 2),
        ("text_characters", b"<a>\n<b c='%s'/></a>" % (b"t" * 1_000), b"<a>\n<b c='%s'/></a>" % (b"t" * 1_001), 2),
        ("text_characters", b"<a>\n<b/>%s</a>" % (b"t" * 1_000), b"<a>\n<b/>%s</a>" % (b"t" * 1_001), 2),
    ],
)  # fmt: skip
def test_every_limit_can_be_set_and_says_what_where_and_what_to_do(
    limit: str, within: bytes, beyond: bytes, line: int | None
) -> None:
    assert tree(within, SMALL)
    fault = refusal(beyond, SMALL)
    setting = "largest_document_bytes" if limit == "document_bytes" else f"limits.{limit}"
    assert fault.text.endswith(f"operator to raise {setting}.")
    assert str(getattr(SMALL, limit)) in fault.text
    assert fault.line == line
    assert tree(beyond)
    assert tree(beyond, AS_KEPT)


def test_the_encodings_can_be_narrowed() -> None:
    fault = refusal(LATIN, Limits(encodings=("utf-8",)))
    assert fault.text == "The document is in another encoding than utf-8; send it in that."
    refusal(b"<a/>", Limits(encodings=("iso-8859-1",)))


def test_a4_a_stylesheet_is_refused_unless_the_operator_lets_it_pass() -> None:
    content = b'<?xml version="1.0"?>\n<?xml-stylesheet href="http://127.0.0.1:1/a"?>\n<a/>'
    assert "xml-stylesheet" in refusal(content).text
    assert tree(content, Limits(stylesheets=True))
    assert tree(b"<?xml-stylesheets-of-mine?><a/>")


def test_a15_a_comment_hides_no_text_that_is_too_long() -> None:
    assert tree(b"<a><!---->%s</a>" % (b"t" * 1_000), SMALL)
    assert "text" in refusal(b"<a><!---->%s</a>" % (b"t" * 1_001), SMALL).text


def test_the_base64_of_an_attachment_is_no_text_that_is_too_long() -> None:
    content = b'<a><Base64Container xmlns="http://www.kith.no/xmlstds/base64container">%s</Base64Container></a>'
    assert tree(content % (b"QUFB" * 300), SMALL)
    assert "text" in refusal(content.replace(b"base64container", b"other") % (b"QUFB" * 300), SMALL).text
