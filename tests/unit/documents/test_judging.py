"""Rules and their severity: what an operator may choose, what every official example gets, and what changes nothing."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from edits import ADMITTED, RECEIPT, REFERRAL, TO_A_PERSON, edited
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

import fixtures
from messaging.documents import Catalogue, CodeLists, Validator, Verdict
from messaging.documents.bounds import WORDS as LIMIT_WORDS
from messaging.documents.document import Document
from messaging.documents.envelope import envelope_of
from messaging.documents.norwegian import in_norwegian
from messaging.documents.reader import Tree, read
from messaging.documents.rules import RULES, faults_of
from messaging.documents.survey import Coded, Found, Surveyor
from messaging.documents.syntax import _WORDS
from messaging.errors import ConfigurationError
from messaging.model.faults import TEXTS, Fault, FaultCode, Language
from messaging.model.rules import ALWAYS_REJECT, NEVER_REJECT, RuleLine, RuleName, RulePolicy, Severity
from world import SHARED

EXAMPLES = SHARED / "standards" / "examples"
OFFICIAL = SHARED / "standards" / "official"
NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
ONE_LEVEL = fixtures.read("invalid/E21/receiver_on_one_level_only.xml")
BLANK = fixtures.read("warned/trailing-blanks/remark.xml")


def judged(catalogue: Catalogue, content: bytes, *lines: RuleLine) -> Verdict:
    return Validator(catalogue, policy=RulePolicy(lines), clock=lambda: NOW).judge(content)


# Severity


def test_a_rule_is_as_severe_as_the_operator_chooses(catalogue: Catalogue) -> None:
    (fault,) = judged(catalogue, ONE_LEVEL).faults
    assert (fault.code, fault.severity) == (FaultCode.E21, Severity.REJECT)
    verdict = judged(catalogue, ONE_LEVEL, RuleLine(RuleName.TWO_LEVELS, Severity.WARN))
    assert verdict.accepted
    assert [(one.code, one.severity) for one in verdict.warnings] == [(RuleName.TWO_LEVELS, Severity.WARN)]
    assert verdict.warnings[0].text == fault.text
    silent = judged(catalogue, ONE_LEVEL, RuleLine(RuleName.TWO_LEVELS, Severity.OFF))
    assert silent.accepted
    assert silent.warnings == ()


def test_a_warning_that_is_made_to_reject_has_a_code_of_the_receipts(catalogue: Catalogue) -> None:
    verdict = judged(catalogue, BLANK, RuleLine(RuleName.TRAILING_BLANKS, Severity.REJECT))
    assert [(one.code, one.rule) for one in verdict.faults] == [(FaultCode.T99, RuleName.TRAILING_BLANKS)]
    assert verdict.warnings == ()


WARN, OFF, REJECT = Severity.WARN, Severity.OFF, Severity.REJECT


@pytest.mark.parametrize(
    ("lines", "severity"),
    [
        ([], REJECT),
        ([("LOG_INNLAGT", None, WARN)], WARN),
        ([("LOG_DOD", None, WARN)], REJECT),
        ([(None, 8110001, WARN)], WARN),
        ([(None, 8110000, WARN)], WARN),
        ([(None, 8120001, WARN)], REJECT),
        ([(None, None, OFF), ("LOG_INNLAGT", None, WARN)], WARN),
        ([("LOG_INNLAGT", None, OFF), (None, 8110001, WARN)], WARN),
        ([(None, 8110001, WARN), ("LOG_INNLAGT", 8110001, REJECT)], REJECT),
        ([("LOG_DOD", 8110001, OFF), (None, 8110001, WARN)], WARN),
        ([(None, 8110001, WARN), (None, 8110000, REJECT)], REJECT),
        ([(None, None, WARN), (None, None, OFF)], WARN),
    ],
)
def test_the_narrowest_line_of_a_policy_counts(
    catalogue: Catalogue, lines: list[tuple[str | None, int | None, Severity]], severity: Severity
) -> None:
    policy = [RuleLine(RuleName.MSG_ID_UUID, kind, type_, her_id) for type_, her_id, kind in lines]
    verdict = judged(catalogue, fixtures.read("invalid/E10/msg_id_no_uuid.xml"), *policy)
    found = [*verdict.faults, *verdict.warnings]
    assert [one.severity for one in found] == ([] if severity is OFF else [severity])


def test_a_line_for_a_receiver_counts_for_copies_too(catalogue: Catalogue) -> None:
    content = fixtures.read("warned/one-receiver/copy_to_the_patients_physician.xml")
    assert judged(catalogue, content, RuleLine(RuleName.ONE_RECEIVER, REJECT, her_id=8110001)).faults
    assert not judged(catalogue, content, RuleLine(RuleName.ONE_RECEIVER, REJECT, her_id=8110002)).faults


@pytest.mark.parametrize("name", sorted(NEVER_REJECT))
def test_what_the_standards_forbid_to_refuse_cannot_be_made_to_reject(name: RuleName) -> None:
    with pytest.raises(ConfigurationError, match=f"{name.value} cannot be set to reject"):
        RulePolicy((RuleLine(name, REJECT),))
    assert RulePolicy((RuleLine(name, OFF),))


@pytest.mark.parametrize("name", sorted(ALWAYS_REJECT))
@pytest.mark.parametrize("severity", [WARN, OFF])
def test_what_the_exchange_cannot_do_without_cannot_be_made_milder(name: RuleName, severity: Severity) -> None:
    with pytest.raises(ConfigurationError, match=f"{name.value} cannot be set to {severity.value}"):
        RulePolicy((RuleLine(name, severity),))
    assert RulePolicy((RuleLine(name, REJECT),))


# Declarations


def test_every_rule_is_declared_once_and_whole() -> None:
    assert [rule.name for rule in RULES] == list(dict.fromkeys(rule.name for rule in RULES))
    assert {rule.name for rule in RULES} == set(RuleName)
    for rule in RULES:
        assert rule.source
        assert rule.demands.endswith(".")
        assert rule.text.english.endswith(".")
        assert rule.text.norwegian.endswith(".")
        assert set(re.findall(r"{(\w+)}", rule.text.english)) == set(re.findall(r"{(\w+)}", rule.text.norwegian))
        assert rule.severity is not OFF
        assert rule.severity is WARN or rule.name not in NEVER_REJECT
        assert rule.severity is REJECT or rule.name not in ALWAYS_REJECT


def test_the_exchange_never_says_that_a_patient_is_not_a_receivers() -> None:
    assert {rule.code for rule in RULES} < set(FaultCode)
    assert "E35" not in {code.value for code in FaultCode}


def test_every_fault_code_has_the_name_that_list_8221_gives_it() -> None:
    codes = CodeLists.shipped().by_oid["2.16.578.1.12.4.1.1.8221"].codes
    assert {code: codes[code.value] for code in FaultCode} == TEXTS


# Both languages


def test_every_fault_and_warning_is_told_in_norwegian_too(catalogue: Catalogue) -> None:
    validator = Validator(catalogue, clock=lambda: NOW)
    for name in fixtures.invalid() + fixtures.warned():
        verdict = validator.judge(fixtures.read(name))
        for found in (*verdict.faults, *verdict.warnings):
            assert found.norwegian, (name, found.text)
            assert found.source, (name, found.text)
            assert found.text_in(Language.NORWEGIAN) != found.text_in(Language.ENGLISH)


def test_every_sentence_on_form_has_norwegian_words() -> None:
    assert [text for text in _WORDS.values() if not in_norwegian(text)] == []
    assert [text for text in LIMIT_WORDS.values() if not in_norwegian(text.format(most=7))] == []
    told = set(re.findall(r'_fault\(\s*f?"([^"]+)"', (SOURCES / "reader.py").read_text(encoding="utf-8")))
    told |= set(re.findall(r'text = f?"([^"]+)"', (SOURCES / "rules" / "kind.py").read_text(encoding="utf-8")))
    told |= set(re.findall(r'return f?"([^"]+)"', (SOURCES / "describe.py").read_text(encoding="utf-8")))
    sentences = {re.sub(r"{[^{}]*}", "7", text) for text in told if text.endswith(".") and "{f'" not in text}
    assert len(sentences) > 30
    assert [text for text in sorted(sentences) if not in_norwegian(text)] == []


SOURCES = Path(str(files("messaging.documents")))


def test_a_sentence_that_is_not_known_is_told_in_english() -> None:
    assert in_norwegian("Something else.") == ""
    assert Fault(FaultCode.X99, "Something else.").sentence(Language.NORWEGIAN) == "X99: Something else."


def test_the_place_is_told_in_the_language_of_the_text() -> None:
    fault = Fault(FaultCode.X99, "Wrong.", line=3, path="/AppRec", norwegian="Feil.")
    assert fault.sentence() == "X99: Wrong. (line 3, /AppRec)"
    assert fault.sentence(Language.NORWEGIAN) == "X99: Feil. (linje 3, /AppRec)"


@pytest.mark.parametrize("content", [ADMITTED, REFERRAL, RECEIPT, TO_A_PERSON])
def test_no_rule_repeats_what_the_document_says(content: bytes, catalogue: Catalogue) -> None:
    validator = Validator(catalogue, clock=lambda: NOW)
    text = re.sub(r">[^<>]*[\w][^<>]*<", ">Kanarifugl <", content.decode())
    text = re.sub(r'(?<= )(V|S|DN|OT)="[^"]*"', r'\1="Kanarifugl"', text)
    found = validator.judge(text.encode())
    assert len({one.rule for one in (*found.faults, *found.warnings) if one.rule}) >= 4
    for one in (*found.faults, *found.warnings):
        assert "anarifugl" not in f"{one.text}{one.norwegian}{one.path}{one.source}"


# One walk for all rules


def everything(root: etree._Element) -> Found:
    """Find what the walk finds, by looking at every element."""
    coded = [Coded.of(element) for element in root.iter("{*}*") if element.get("V") is not None]
    return Found(coded=coded)


@pytest.mark.parametrize("name", [*fixtures.valid(), *fixtures.warned()])
def test_the_walk_leaves_out_nothing_that_a_rule_objects_to(name: str, catalogue: Catalogue) -> None:
    tree = read(fixtures.read(name))
    assert isinstance(tree, Tree)
    for seed in range(4):
        for number, element in enumerate(tree.root.iter("{*}*")):
            if element.get("V") is not None and (number + seed) % 4 == 0:
                spoil(element, number)
        walked, whole = (of_codes(tree.root, catalogue, found) for found in (None, everything(tree.root)))
        assert walked == whole


def spoil(element: etree._Element, number: int) -> None:
    if number % 3 == 0:
        element.set("V", "Q7")
    elif number % 3 == 1:
        element.attrib.pop("S", None)  # type: ignore[call-overload]
    else:
        element.set("S", "2.16.578.1.12.4.1.1.9051")


def of_codes(root: etree._Element, catalogue: Catalogue, found: Found | None) -> list[Fault]:
    envelope, vocabulary, codes = envelope_of(root), catalogue.vocabulary, CodeLists.shipped()
    assert envelope is not None
    document = Document(root, [*root.iter("{*}*")], envelope, vocabulary, None, codes, Surveyor(codes, vocabulary))
    if found is not None:
        vars(document)["found"] = found
    about_codes = {RuleName.CODE_IN_LIST, RuleName.CODE_ATTRIBUTES, RuleName.PERSON_NUMBERS, RuleName.TELECOM_ADDRESS}
    return [fault for fault in faults_of(document, RulePolicy()) if fault.rule in about_codes]


# Code lists


def test_an_operators_own_lists_replace_ours_and_add_to_them(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "9121.toml").write_text(
        'number = 9121\noid = "2.16.578.1.12.4.1.1.9121"\nname = "Hendelser"\n[codes]\n"1" = "Ett"\n"99" = "Nytt"\n'
    )
    (tmp_path / "9999.toml").write_text(
        'number = 9999\noid = "2.16.578.1.12.4.1.1.9999"\nname = "Ny"\n[codes]\n"A" = "B"\n'
    )
    validator = Validator(catalogue, codes=CodeLists.load(tmp_path))
    event = 'V="1" S="2.16.578.1.12.4.1.1.9121"'
    for code, known in (("1", True), ("99", True), ("3", False)):
        content = edited(ADMITTED, (event, event.replace('"1"', f'"{code}"')))
        rules = {one.rule for one in validator.judge(content).warnings}
        assert (RuleName.CODE_IN_LIST in rules) is not known
    new = edited(TO_A_PERSON, ('<TemaKodet V="', '<TemaKodet S="2.16.578.1.12.4.1.1.9999" V="'))
    new = re.sub(rb'(<TemaKodet[^>]*?V="[^"]*") S="[^"]*"', rb"\1", new)
    assert RuleName.CODE_IN_LIST in {one.rule for one in validator.judge(new).warnings}


@pytest.mark.parametrize("content", ["", "number = 1", 'number = "x"\noid = "1"\nname = "n"\ncodes = 3', "[", "\x00"])
def test_a_list_that_cannot_be_read_stops_the_start(content: str, tmp_path: Path) -> None:
    (tmp_path / "1.toml").write_text(content)
    with pytest.raises(ConfigurationError, match=r"1\.toml"):
        CodeLists.load(tmp_path)


def test_a_folder_of_lists_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is no folder"):
        CodeLists.load(tmp_path / "none")


def test_every_shipped_list_is_named_by_its_number_and_its_oid() -> None:
    folder = Path(str(files("schemas"))) / "codelists"
    lists = [path for path in folder.glob("*.toml") if path.name != "elements.toml"]
    assert len(lists) > 40
    for path in lists:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        assert str(content["number"]) == path.stem
        assert content["oid"] == f"2.16.578.1.12.4.1.1.{path.stem}"
        assert content["name"]
        assert content["codes"]


# What changes nothing


VALID = [fixtures.read(name) for name in fixtures.valid()]
SPOILT = [
    fixtures.read(name)
    for name in fixtures.invalid() + fixtures.warned()
    if "/T01/" not in name and "encoding-declared" not in name and "text" not in name
]


@st.composite
def rewritten(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draw a document, and the same one written otherwise."""
    content = draw(st.sampled_from(VALID + SPOILT))
    root = etree.fromstring(content)
    encoding = draw(st.sampled_from(["UTF-8", "ISO-8859-1"]))
    text = etree.tostring(with_prefixes(root) if draw(st.booleans()) else root, encoding="unicode")
    if draw(st.booleans()):
        text = re.sub(r"(<[\w:.]+)((?: [\w:.]+=\"[^\"]*\"){2,})", turned, text)
    if draw(st.booleans()):
        text = re.sub(r">(\s*)<(?=[\w])", draw(st.sampled_from([r">\1<!-- merk --><", ">\n\t <"])), text)
    if draw(st.booleans()):
        text = re.sub(r'="([^"<>\']*)"', r" = '\1'", text)
    if draw(st.booleans()):
        text = re.sub(IN_TEXT, draw(st.sampled_from(OTHERWISE)), text)
    if draw(st.booleans()):
        text = f"<!-- foran -->\n{text}\n<?merk etter?>"
    quote = draw(st.sampled_from("'\""))
    declaration = f"<?xml version={quote}1.0{quote} encoding={quote}{encoding}{quote}?>"
    return content, (declaration + text).encode(encoding, "xmlcharrefreplace")


IN_TEXT = r">([^<>&]*\w)(\w[^<>&]*)<"
OTHERWISE = [r">\1<!-- merk -->\2<", r">\1<?merk?>\2<", r"><!-- merk -->\1\2<", r"><![CDATA[\1]]>\2<"]
"""Ways to write the same text, of at least two letters."""


def with_prefixes(root: etree._Element) -> etree._Element:
    """Write the same elements with a prefix for every namespace."""
    namespaces = sorted({etree.QName(element).namespace or "" for element in root.iter("{*}*")} - {""})
    prefixes = {f"p{number}": namespace for number, namespace in enumerate(namespaces)}
    copy = etree.Element(root.tag, root.attrib, nsmap=prefixes)
    copy.text = root.text
    copy.extend(list(etree.fromstring(etree.tostring(root))))
    etree.cleanup_namespaces(copy, top_nsmap=prefixes)
    return copy


def turned(found: re.Match[str]) -> str:
    return found[1] + "".join(f" {one}" for one in reversed(re.findall(r'[\w:.]+="[^"]*"', found[2])))


@settings(max_examples=150, deadline=None)
@given(rewritten())
def test_how_a_document_is_written_changes_no_outcome(validator: Validator, pair: tuple[bytes, bytes]) -> None:
    first, second = (validator.judge(content) for content in pair)
    assert second.accepted is first.accepted
    assert codes(second.faults) == codes(first.faults)
    assert codes(second.warnings) == codes(first.warnings)
    assert (second.envelope, second.kind) == (first.envelope, first.kind)


@pytest.mark.parametrize("name", fixtures.valid() + [name for name in fixtures.warned() if "encoding" not in name])
@pytest.mark.parametrize("otherwise", OTHERWISE, ids=["comment", "instruction", "comment first", "cdata"])
def test_remarks_and_cdata_in_every_text_change_no_outcome(name: str, otherwise: str, validator: Validator) -> None:
    content = fixtures.read(name)
    changed = re.sub(IN_TEXT.encode(), otherwise.encode(), content)
    assert changed != content
    first, second = validator.judge(content), validator.judge(changed)
    assert codes(second.faults) == codes(first.faults)
    assert codes(second.warnings) == codes(first.warnings)
    assert (second.envelope, second.kind) == (first.envelope, first.kind)


def codes(faults: tuple[Fault, ...]) -> list[tuple[str, str | None, str]]:
    """Name what is wrong, where, and in which words."""
    return sorted((fault.code.value, fault.path, fault.text) for fault in faults)


# Official examples


def examples() -> list[str]:
    return sorted(str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.xml"))


WITHOUT_HER_IDS = {
    "AppRec-v1-eksempel-avvist.xml",
    "AppRec-v1-eksempel-ok.xml",
    "AppRec-v1-eksempel-ok_feil_i_delmelding.xml",
    "example-ok-feil-i-delmelding.xml",
}
"""Examples of AppRec from before HER-ids: nobody knows whom they answer (docs/rules.md)."""
OUTSIDE_ITS_LIST = {"unknown-status.xml"}
"""An example of a status that no list has."""


@pytest.mark.skipif(not EXAMPLES.exists(), reason=f"the official examples are not at {EXAMPLES}")
@pytest.mark.parametrize("name", examples())
def test_no_rule_rejects_an_official_example_that_the_schemas_accept(name: str, validator: Validator) -> None:
    content = (EXAMPLES / name).read_bytes()
    if not validator.judge(content, schema_only=True).accepted:
        assert "migversion" in name, "hardly anything stands in it"
        return
    by_rules = {fault.rule for fault in validator.judge(content).faults}
    if Path(name).name in WITHOUT_HER_IDS:
        assert by_rules == {RuleName.SENDER_HER_ID, RuleName.RECEIVER_HER_ID}
    elif Path(name).name in OUTSIDE_ITS_LIST:
        assert by_rules == {RuleName.RECEIPT_STATUS}
    else:
        assert by_rules == set()
