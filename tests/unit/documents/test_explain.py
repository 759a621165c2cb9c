"""What the schemas find wrong, told better: only where it helps, never with a word of the document, never for long."""

from __future__ import annotations

import ast
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from edits import ADMITTED, RECEIPT, edited, nowhere

import fixtures
import messaging
from messaging.documents import Catalogue, Explainer, Validator, explain
from messaging.documents.names import APPREC_1_1
from messaging.documents.packs import Pack
from messaging.documents.reader import Tree, read
from messaging.model.faults import FaultCode

CANARY = "Kanarifugl"
LETTER = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:letter" xmlns="urn:letter"
    elementFormDefault="qualified">
  <xs:element name="Letter"><xs:complexType><xs:sequence>
    <xs:element name="Date" minOccurs="0"/><xs:element name="Title"/>
    <xs:element name="Text" minOccurs="0"><xs:simpleType><xs:restriction base="xs:string">
      <xs:pattern value="(x+x+)+y"/></xs:restriction></xs:simpleType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>"""
UNTITLED = b'<Letter xmlns="urn:letter"/>'
IN_LXMLS_WORDS = ("Letter is not complete: expected Date or Title.",)
EXPLAINED = ("Letter is not complete: expected Title.",)


@pytest.fixture(scope="module")
def explainer(catalogue: Catalogue) -> Iterator[Explainer]:
    made = Explainer(catalogue)
    made.start()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a machine with much to do its time; the tests of the budget set their own."""
    monkeypatch.setattr(explain, "BUDGET", 30.0)


@pytest.fixture
def letters(tmp_path: Path) -> Iterator[tuple[Validator, Explainer]]:
    """A judge and an explainer with one small schema, whose pattern takes for ever on the right text."""
    (tmp_path / "letter.xsd").write_text(LETTER, encoding="utf-8")
    (tmp_path / "catalogue.toml").write_text(
        'message = []\n[[schema]]\nfile = "letter.xsd"\nnamespace = "urn:letter"\ntitle = ""\nversion = ""\n',
        encoding="utf-8",
    )
    catalogue = Catalogue.read(tmp_path)
    made = Explainer(catalogue)
    yield Validator(catalogue), made
    made.close()


def told(validator: Validator, explainer: Explainer | None, content: bytes) -> tuple[str, ...]:
    """Judge by schema, with or without help, and give the texts."""
    words = {"words": explainer.words} if explainer else {}
    return tuple(fault.text for fault in validator.judge(content, schema_only=True, **words).faults)


@pytest.mark.parametrize(
    ("content", "before", "after"),
    [
        (
            nowhere(RECEIPT, "<OriginalMsgId>", "</OriginalMsgId>"),
            "AppRec is not complete: expected Error or OriginalMsgId.",
            "AppRec is not complete: expected OriginalMsgId.",
        ),
        (
            nowhere(ADMITTED, "<RefDoc>", "</RefDoc>"),
            (
                "Document is not complete: expected DocumentConnection, ContentType, ContentDescription, "
                "ContentCategory, Consent, Annotation, FromDate, ToDate, OidRef, EnquiryRefId or another."
            ),
            "Document is not complete: expected RefDoc.",
        ),
        (
            nowhere(ADMITTED, "<Sender>", "</Sender>"),
            (
                "Receiver is not expected here; expected ProcessingStatus, RequestedPriority, Ack, ConversationRef "
                "or Sender."
            ),
            "Receiver is not expected here; expected Sender.",
        ),
    ],
)
def test_what_must_stand_in_a_place_is_named_where_lxml_lists_what_may(
    content: bytes, before: str, after: str, validator: Validator, explainer: Explainer
) -> None:
    (plain,) = validator.judge(content, schema_only=True).faults
    (helped,) = validator.judge(content, schema_only=True, words=explainer.words).faults
    assert (plain.text, helped.text) == (before, after)
    assert (plain.path, plain.line) == (helped.path, helped.line)


def test_a_mistaken_name_is_still_looked_up_in_all_that_may_stand_there(
    validator: Validator, explainer: Explainer
) -> None:
    misspelt = edited(RECEIPT, ("SoftwareName>", "SoftwearName>"), times=2)
    elsewhere = edited(RECEIPT, ("<SoftwareName>", '<SoftwareName xmlns="urn:x">'))
    for content in (misspelt, elsewhere):
        assert told(validator, explainer, content) == told(validator, None, content)


def test_what_stands_after_an_unexpected_child_is_looked_at_too(validator: Validator, explainer: Explainer) -> None:
    content = edited(
        nowhere(ADMITTED, "<GenDate>", "</GenDate>"), ("<Anslag>false", "<Anslag>nei"), ("<Patient>", "<Patient><A/>")
    )
    faults = validator.judge(content, schema_only=True, words=explainer.words).faults
    plain = validator.judge(content, schema_only=True).faults
    assert {fault.text for fault in plain} < {fault.text for fault in faults}
    more = [fault for fault in faults if fault not in plain]
    assert [(fault.path, fault.code) for fault in more] == [("/MsgHead/MsgInfo/Patient/*[1]", FaultCode.T02)]
    assert more[0].line == 1 + content[: content.index(b"<A/>")].count(b"\n")


def test_a_value_after_an_unexpected_child_is_told_by_its_type(validator: Validator, explainer: Explainer) -> None:
    content = edited(
        ADMITTED, ("<TidsfestetHendelse", "<Utgang/><TidsfestetHendelse"), ("<Anslag>false", "<Anslag>nei")
    )
    assert not any("true or false" in text for text in told(validator, None, content))
    assert "Anslag must be true or false." in told(validator, explainer, content)


@pytest.mark.parametrize("name", [name for name in fixtures.invalid() if "/T02/" in name])
def test_no_fault_is_lost_and_none_is_told_less_well(name: str, validator: Validator, explainer: Explainer) -> None:
    plain = validator.judge(fixtures.read(name), schema_only=True).faults
    helped = validator.judge(fixtures.read(name), schema_only=True, words=explainer.words).faults
    assert {(fault.path, fault.line) for fault in plain} <= {(fault.path, fault.line) for fault in helped}
    shorter = [fault.text for fault in helped if fault not in plain]
    assert all(len(text) < max(len(fault.text) for fault in plain) for text in shorter)


def test_no_word_of_the_document_is_told(validator: Validator, explainer: Explainer) -> None:
    for old, new in (
        ("<Ack/>", f"<{CANARY}/>"),
        ("<Patient>", f'<Patient {CANARY}="{CANARY}">{CANARY}'),
        ("<City>", f"<City><{CANARY}>{CANARY}</{CANARY}>"),
        ("<Sender>", f'<Sender xmlns="urn:{CANARY}">'),
    ):
        content = edited(nowhere(ADMITTED, "<GenDate>", "</GenDate>"), ("<MsgId>", "<Ack/><MsgId>"), (old, new))
        faults = validator.judge(content, schema_only=True, words=explainer.words).faults
        assert faults
        assert CANARY not in str(faults)


def test_what_is_accepted_costs_nothing(letters: tuple[Validator, Explainer]) -> None:
    validator, explainer = letters
    assert told(validator, explainer, b'<Letter xmlns="urn:letter"><Title/></Letter>') == ()
    assert explainer._process is None


def test_a_large_document_is_told_in_lxmls_words(letters: tuple[Validator, Explainer]) -> None:
    validator, explainer = letters
    large = UNTITLED.replace(b"/>", b"><!--" + b"x" * explain.LARGEST + b"--></Letter>")
    assert told(validator, explainer, large) == IN_LXMLS_WORDS
    assert explainer._process is None
    assert told(validator, explainer, UNTITLED) == EXPLAINED


def test_a_document_that_takes_too_long_is_told_in_lxmls_words_and_the_next_is_explained(
    letters: tuple[Validator, Explainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    validator, explainer = letters
    explainer.start()
    first = explainer._process
    tree = read(UNTITLED.replace(b"/>", b"><Text>" + b"x" * 40 + b"</Text></Letter>"))
    assert isinstance(tree, Tree)
    monkeypatch.setattr(explain, "BUDGET", 0.5)
    began = time.monotonic()
    assert explainer.words([], tree.root, validator.catalogue.vocabulary) == ()
    assert time.monotonic() - began < 5
    assert first is not None
    assert first._popen.returncode is not None
    monkeypatch.setattr(explain, "BUDGET", 30.0)
    assert told(validator, explainer, UNTITLED) == EXPLAINED


def test_a_process_that_dies_is_replaced(letters: tuple[Validator, Explainer]) -> None:
    validator, explainer = letters
    assert told(validator, explainer, UNTITLED) == EXPLAINED
    assert explainer._process is not None
    explainer._process._popen.kill()
    explainer._process._popen.wait()
    assert told(validator, explainer, UNTITLED) == IN_LXMLS_WORDS
    assert told(validator, explainer, UNTITLED) == EXPLAINED


def test_a_process_that_cannot_start_leaves_lxmls_words(
    letters: tuple[Validator, Explainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    validator, explainer = letters
    monkeypatch.setattr(explain, "_MODULE", "messaging.documents.nothing")
    assert told(validator, explainer, UNTITLED) == IN_LXMLS_WORDS


def test_who_must_wait_longer_than_the_budget_gets_lxmls_words(
    letters: tuple[Validator, Explainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    validator, explainer = letters
    monkeypatch.setattr(explain, "BUDGET", 0.05)
    with explainer._turn:
        assert told(validator, explainer, UNTITLED) == IN_LXMLS_WORDS


def test_many_may_ask_at_once(letters: tuple[Validator, Explainer]) -> None:
    validator, explainer = letters
    explainer.start()
    ready = threading.Barrier(8)

    def ask(_: int) -> tuple[str, ...]:
        ready.wait()
        return told(validator, explainer, UNTITLED)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {EXPLAINED}


def test_the_process_is_bounded_in_memory_and_time(letters: tuple[Validator, Explainer]) -> None:
    validator, explainer = letters
    told(validator, explainer, UNTITLED)
    assert explainer._process is not None
    limits = Path(f"/proc/{explainer._process._popen.pid}/limits").read_text(encoding="utf-8").splitlines()
    found = {line[:26].strip(): line[26:47].strip() for line in limits}
    assert found["Max address space"] == str(512 << 20)
    assert 0 < int(found["Max cpu time"]) < 60


def test_where_a_document_says_that_its_schema_lies_is_never_read(
    validator: Validator, explainer: Explainer, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe.xsd"
    os.mkfifo(pipe)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        for place in (f"http://127.0.0.1:{listening.getsockname()[1]}/x.xsd", pipe.as_uri()):
            hints = (
                f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="{place}" '
                f'xsi:schemaLocation="{APPREC_1_1} {place} urn:other {place}"'
            )
            content = nowhere(edited(RECEIPT, ("<AppRec ", f"<AppRec {hints} ")), "<OriginalMsgId>", "</OriginalMsgId>")
            assert told(validator, explainer, content) == ("AppRec is not complete: expected OriginalMsgId.",)
        with pytest.raises(BlockingIOError):
            listening.accept()
    # Whoever had opened the pipe to read it would wait there still, and it could be opened for writing.
    with pytest.raises(OSError, match="No such device or address"):
        os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)


def test_only_who_asks_for_words_waits_for_them() -> None:
    """No document that is handed in is explained: the way in holds to lxml alone."""
    package = Path(messaging.__file__).parent
    users = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "words" and "explainer" in ast.unparse(node.value)
    }
    assert users == {"cli/documents.py", "flow/judge.py"}


def test_what_a_pack_judges_is_explained_by_the_packs_schema() -> None:
    pack = Pack("letters", {"letter.xsd": LETTER.encode()})
    catalogue = Catalogue.load().judged_by({"urn:letter": pack})
    with closing(Explainer(catalogue)) as made:
        made.start()
        assert told(Validator(catalogue), made, UNTITLED) == EXPLAINED
