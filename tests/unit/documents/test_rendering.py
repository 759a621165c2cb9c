"""Documents as people read them: everything that is said is there, in words, and nothing of it can do any harm."""

from __future__ import annotations

import base64
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from edits import ADMITTED, RECEIPT, REFERRAL, TO_A_PERSON, edited
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html

import fixtures
from messaging.documents import values
from messaging.documents.labels import Labels
from messaging.documents.names import XMLDSIG
from messaging.documents.outline import MOST_CHARACTERS
from messaging.documents.rendering import render_html, render_text
from messaging.documents.structure import Kind, Place, Structure
from world import SHARED

REPORT = fixtures.read("valid/plo/1.6/utskrivningsrapport_n.xml")
FIXTURES = sorted((Path(str(files("fixtures"))) / "valid").rglob("*.xml"))
SAMPLES = sorted((SHARED / "standards" / "examples").rglob("*.xml"))

ALLOWED = {
    *("article", "header", "section", "div", "h2", "h3", "h4", "h5", "h6", "p", "br", "strong"),
    *("dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td"),
}
CLASSES = {
    *("document", "top", "mark", "cancelled", "changed", "test", "accepted", "sent", "cards", "part", "party", "item"),
    *("short", "long", "name", "wide", "cut", "unreadable"),
}
CONSTANT = {"lang": {"nb"}, "scope": {"col"}}
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def only_ours(rendered: str) -> html.HtmlElement:
    """Parse what was rendered as a browser would, and hold it to what the renderer may write."""
    tree = html.fragment_fromstring(rendered)
    for element in tree.iter():
        assert element.tag in ALLOWED
        for name, value in element.attrib.items():
            assert set(value.split()) <= (CLASSES if name == "class" else CONSTANT[name])
    assert not UNSEEN.search(rendered)
    return tree


def said(rendered: str) -> str:
    """Read what was rendered as one line of text."""
    return " ".join(" ".join(only_ours(rendered).itertext()).split())


@pytest.mark.parametrize("path", [*FIXTURES, *SAMPLES], ids=name_of)
def test_every_fixture_and_official_sample_can_be_read(path: Path) -> None:
    content = path.read_bytes()
    assert len(said(render_html(content))) > 20
    text = render_text(content)
    assert len(text) > 20
    assert not UNSEEN.search(text)


def test_the_official_samples_are_read_where_they_are_at_hand() -> None:
    if not SAMPLES:
        pytest.skip("the official samples are not beside the checkout")
    assert len(SAMPLES) > 80


def leaves(root: etree._Element) -> Iterator[etree._Element]:
    yield from (element for element in root.iter("{*}*") if not len(element))


@pytest.mark.parametrize("path", [path for path in FIXTURES if not path.stem.endswith(("_c", "_m"))], ids=name_of)
def test_nothing_that_a_message_says_is_lost(path: Path) -> None:
    root = etree.fromstring(path.read_bytes())
    labels = Labels.shipped()
    expected = set()
    for number, leaf in enumerate(leaves(root)):
        if labels.is_hidden(leaf) or etree.QName(leaf).localname == "Base64Container":
            continue
        canary = f"canary{number}x"
        where = next((name for name in ("DN", "V") if leaf.get(name)), None)
        if where:
            leaf.set(where, canary)
        else:
            leaf.text = canary
        expected.add(canary)
    content = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    for text in (said(render_html(content)), render_text(content).lower()):
        assert {one for one in expected if one not in text} == set()


HOSTILE = [
    "<script>alert(1)</script>",
    "</dd></dl></article><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' onclick='alert(1)",
    "&lt;b&gt; &amp;amp; &#60;i&#62;",
    "javascript:alert(1)",
    "tel:<svg/onload=alert(1)>",
    "data:text/html,<script>alert(1)</script>",
    "{{ 7*7 }}{% raw %}${7*7}",
    "]]><!--",
    "\u202egpj.exe\u2066\u200f\u2028\ufeff",
    "\x9b31mred\x85\x7f",
    "a\tb\nc\n\n\nd",
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("content", [REPORT, REFERRAL, RECEIPT, TO_A_PERSON], ids=["plo", "ref", "apprec", "dialog"])
def test_what_a_document_says_is_text_and_never_markup(content: bytes, value: str) -> None:
    root = etree.fromstring(content)
    for element in root.iter("{*}*"):
        for name in element.attrib:
            element.set(name, value)
        if not len(element):
            element.text = value
    hostile = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    visible = UNSEEN.sub(values.REPLACEMENT, value.replace("\x85", "\ufffd"))
    assert " ".join(visible.split()).removeprefix("tel:") in said(render_html(hostile))
    assert not UNSEEN.search(render_text(hostile))


def test_names_of_a_foreign_document_are_text_too() -> None:
    rendered = render_html(b"<Brev><onload.alert>Hei</onload.alert><a href='javascript:alert(1)'>der</a></Brev>")
    assert "onload.alert" in said(rendered)
    assert "href" not in rendered


XHTML = (
    '<div xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script><style>p{}</style><p onclick="x()">F&#248;rste '
    "<b>viktige</b> avsnitt<br/>ny linje</p><ul><li>punkt</li></ul><table><thead><tr><th>Pr&#248;ve</th>"
    "<th>Svar</th></tr></thead><tbody><tr><td>CRP</td><td>24</td></tr><tr><td>Hb</td></tr></tbody></table>"
    '<a href="javascript:alert(1)">lenke</a><iframe src="https://example.org"/> til slutt</div>'
)


def test_a_note_with_markup_becomes_paragraphs_and_tables() -> None:
    content = re.sub(
        rb"<TekstNotatInnhold>.*?</TekstNotatInnhold>",
        f"<TekstNotatInnhold>{XHTML}</TekstNotatInnhold>".encode(),
        TO_A_PERSON,
        flags=re.DOTALL,
    )
    tree = only_ours(render_html(content))
    cells = [[cell.text_content() for cell in row] for row in tree.xpath("//table//tr")]
    assert cells == [["Prøve", "Svar"], ["CRP", "24"], ["Hb", ""]]
    assert "Første viktige avsnitt" in tree.text_content()
    assert "alert" not in tree.text_content()
    assert "lenke til slutt" in said(render_html(content))
    assert "CRP    24" in render_text(content)


def test_coded_values_are_read_by_their_text() -> None:
    text = render_text(REPORT)
    assert "Uspesifisert pneumoni (J189)" in text
    assert "Pasient innlagt: 3. mars 2025 kl. 08.40" in text
    assert "2.16.578" not in text


def test_a_code_without_its_text_gets_it_from_the_code_list() -> None:
    assert "Kjønn: Mann" in render_text(edited(ADMITTED, (' DN="Mann"', "")))
    assert "Pasient innlagt: " in render_text(edited(ADMITTED, (' DN="Pasient innlagt"', "")))
    assert render_text(edited(ADMITTED, (' DN="Melding om innlagt pasient"', ""))).startswith("Melding om innlagt")
    assert "Fødselsnummer: " in render_text(edited(ADMITTED, (' DN="Fødselsnummer"', "")))


def test_a_code_that_no_list_knows_stays_a_code() -> None:
    assert "Kjønn: 7" in render_text(edited(ADMITTED, ('<Sex V="1" DN="Mann"/>', '<Sex V="7"/>')))


def test_free_text_of_a_coded_value_is_shown_beside_its_text() -> None:
    assert "Ring meldingsansvarlig" in render_text(fixtures.read("valid/apprec/1.1/apprec_avvist_flere_feil.xml"))
    other = edited(REPORT, ('DN="Bevege seg innendørs"', 'DN="Annet" OT="Trapper"'))
    assert "Annet: Trapper: 3" in render_text(other)
    alone = edited(REPORT, ('V="5" S="2.16.578.1.12.4.1.1.9111" DN="Bevege seg innendørs"', 'OT="Trapper"'))
    assert "Trapper: 3" in render_text(alone)


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        ("plo/1.6/utskrivningsrapport_n", None),
        ("plo/1.6/utskrivningsrapport_m", "Endret"),
        ("plo/1.6/utskrivningsrapport_c", "Kansellert"),
        ("henvisning/2.0/henvisning_nytilstand_n", None),
        ("henvisning/2.0/henvisning_nytilstand_m", "Endret"),
        ("henvisning/2.0/henvisning_nytilstand_c", "Kansellert"),
        ("apprec/1.1/apprec_ok", "Godtatt"),
        ("apprec/1.1/apprec_avvist", "Avvist"),
        ("apprec/1.0/apprec_avvist", "Avvist"),
    ],
)
def test_a_changed_or_cancelled_message_says_so_first(name: str, mark: str | None) -> None:
    content = fixtures.read(f"valid/{name}.xml")
    marks = only_ours(render_html(content)).xpath("//p[contains(@class, 'mark')]/strong/text()")
    assert marks == ([mark] if mark else [])
    assert render_text(content).startswith(f"*** {mark.upper()} ***" if mark else "") is True


SUMMARY = """<Message xmlns="http://www.kith.no/xmlstds/epikrise/2012-02-15"><Type V="EPIKRISE" DN="Epikrise"/>
<GenDate V="2025-02-03T10:00:00"/><MsgId>1</MsgId><Status V="TEST" DN="Melding til testformål"/><ServRprt>
<ServType V="{status}"/><MsgDescr>Sykehusepikrise</MsgDescr><Patient><Name>Nordmann, Kari</Name><PatRelHCP>
<Relation V="FLE" DN="Fastlege"/><HCP><HCProf><Name>Rita Lin</Name></HCProf></HCP></PatRelHCP></Patient>
<ServProvider><HCP><Inst><Name>Sykehuset</Name><Id>1</Id><TypeId V="HER"/></Inst></HCP></ServProvider>
<Requester><HCP><Inst><Name>Legekontoret</Name></Inst></HCP></Requester></ServRprt></Message>"""


def test_the_older_summaries_have_their_own_places_for_everything() -> None:
    text = render_text(SUMMARY.format(status="C").encode())
    assert text.startswith("*** KANSELLERT ***")
    assert "*** TESTMELDING ***" in text
    assert re.search(r"PASIENT\n  Navn: Nordmann, Kari\n\nAVSENDER\n  Navn: Sykehuset\n  HER-id: 1\n\nMOTTAKER", text)
    assert "OM PASIENTEN\n  Fastlege:\n    Navn: Rita Lin" in text


@pytest.mark.parametrize("status", ["T", "D"])
def test_a_test_message_is_marked(status: str) -> None:
    content = edited(ADMITTED, ("<Sender>", f'<ProcessingStatus V="{status}"/><Sender>'))
    assert render_text(content).startswith("*** TESTMELDING ***")
    production = edited(ADMITTED, ("<Sender>", '<ProcessingStatus V="P"/><Sender>'))
    assert "TESTMELDING" not in render_text(production)


def test_sender_receivers_and_patient_stand_on_top() -> None:
    tree = only_ours(render_html(REPORT))
    headings = tree.xpath("//header//h3/text()")
    assert headings == ["Pasient", "Avsender", "Mottaker", "Kopimottaker"]
    assert tree.xpath("//header/h2/text()") == ["Utskrivningsrapport"]
    assert tree.xpath("string(//header/p[@class='sent'])") == "Sendt 12. mars 2025 kl. 12.51"


def test_empty_parts_are_left_out() -> None:
    empty = "<Merknad/><StedForHendelse><StedHendelse>  </StedHendelse></StedForHendelse>"
    content = edited(ADMITTED, ("<Anslag>false</Anslag>", f"<Anslag>false</Anslag>{empty}"))
    assert render_html(content) == render_html(ADMITTED)


def test_an_estimate_is_said_and_a_known_time_is_not() -> None:
    assert "Anslått" not in render_text(ADMITTED)
    assert "Anslått tidspunkt: Ja" in render_text(edited(ADMITTED, ("<Anslag>false<", "<Anslag>true<")))


def test_attachments_are_listed_by_name_type_and_size_and_never_embedded() -> None:
    rendered = render_html(REFERRAL)
    encoded = re.search(rb"<Base64Container[^>]*>([^<]*)<", REFERRAL)
    assert encoded is not None
    size = len(base64.b64decode(encoded[1]))
    assert f"Beskrivelse EKG tatt på legekontoret Filtype PDF (application/pdf) Størrelse {size} byte" in said(rendered)
    assert "JVBERi" not in rendered
    assert "VEDLEGG\n  Beskrivelse: EKG tatt på legekontoret\n" in render_text(REFERRAL)


def test_a_reference_to_a_file_is_text_and_no_link() -> None:
    start, rest = REFERRAL.split(b"<Content>\n        <Base64Container")
    reference = b"<FileReference>https://example.org/ekg.pdf</FileReference>"
    rendered = render_html(start + reference + rest.partition(b"</Content>")[2])
    assert "Filreferanse https://example.org/ekg.pdf" in said(rendered)


@pytest.mark.parametrize("content", [b"", b"<a>", b"<!DOCTYPE a><a/>", b"\xff\xfe<\x00", "<å/>".encode("latin-1")])
def test_what_is_no_xml_gives_a_sentence(content: bytes) -> None:
    assert "lar seg lese som XML" in said(render_html(content))
    assert "lar seg lese som XML" in render_text(content)


MANY = {
    "siblings": b"<a>%s</a>" % (b"<g>%s</g>" % (b"<b>x</b>" * 4_500) * 20),
    "words": b"<a><b>%s</b></a>" % (b"ord " * 400_000),
    "notes": b"<a>%s</a>" % (b"<g>%s</g>" % (b"<b><c>1</c><d/></b>" * 3_000) * 10),
    "levels": b"<a>%s</a>" % ((b"<p>" * 30 + b"x" + b"</p>" * 30) * 3_000),
    "lines": b"<a><b>%s</b></a>" % (b"x\n" * 300_000),
    "cells": b'<n:Dialogmelding xmlns:n="http://www.kith.no/xmlstds/dialog/2013-01-23"><n:Notat><n:TekstNotatInnhold>'
    b"%s</n:TekstNotatInnhold></n:Notat></n:Dialogmelding>"
    % (b"<table>%s</table>" % (b"<tr><td/><td>1</td></tr>" * 3_000) * 10),
}


@pytest.mark.parametrize("kind", MANY)
def test_a_huge_document_is_cut_and_says_so(kind: str) -> None:
    rendered, text = render_html(MANY[kind]), render_text(MANY[kind])
    assert len(rendered) < 8 * MOST_CHARACTERS
    assert "Resten er utelatt her." in rendered
    assert "Resten er utelatt her." in text


def test_a_deep_document_is_read_to_its_end() -> None:
    deep = b"<a>" * 63 + b"<b>bunnen</b>" + b"</a>" * 63
    assert "bunnen" in said(render_html(deep))
    assert "bunnen" in render_text(deep)


LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
WORDS = st.text(LETTERS, max_size=80)
NAMES = st.sampled_from(["Ident", "Id", "TypeId", "Document", "RefDoc", "Content", "Notat", "table", "tr", "td", "x"])


@st.composite
def trees(draw: st.DrawFn, depth: int = 4) -> etree._Element:
    namespace = draw(st.sampled_from(["", "http://www.kith.no/xmlstds/msghead/2006-05-24", "urn:x"]))
    root = draw(st.sampled_from(["MsgHead", "Message", "AppRec", "x"])) if depth == 4 else draw(NAMES)
    element = etree.Element(f"{{{namespace}}}{root}" if namespace else root)
    for name in draw(st.sets(st.sampled_from(["V", "DN", "OT", "S", "U"]))):
        element.set(name, draw(WORDS))
    element.text = draw(WORDS)
    for inner in draw(st.lists(trees(depth - 1), max_size=3)) if depth else ():
        inner.tail = draw(WORDS)
        element.append(inner)
    return element


@settings(max_examples=100, deadline=None)
@given(trees())
def test_any_document_can_be_read_and_stays_harmless(root: etree._Element) -> None:
    content = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    only_ours(render_html(content))
    assert not UNSEEN.search(render_text(content))


# The table, and the schemas that guide the walk


def places() -> dict[str, Place]:
    """Find every place that a schema of ours declares, by its element's name; signatures are not read aloud."""
    structure = Structure.shipped()
    tags = [etree.QName(tag) for tag in structure.tags()]
    pending = [(tag.localname, structure.root(tag.text)) for tag in tags if tag.namespace != XMLDSIG]
    found: dict[str, Place] = {}
    seen = set()
    while pending:
        name, place = pending.pop()
        if place is not None and place not in seen and name != "Signature":
            seen.add(place)
            found[name] = place
            pending += place.children.items()
    return found


def test_every_element_of_the_schemas_has_a_heading() -> None:
    assert [name for name in places() if not Labels.shipped().knows(name)] == []


def test_the_table_speaks_of_elements_that_there_are() -> None:
    table = tomllib.loads((files("messaging.documents") / "labels.toml").read_text(encoding="utf-8"))
    paths = [path for root in table["root"] for path in (root["title"], root["sent"], *root["about"])]
    paths += [path for root in table["root"] for path in root.get("status", ())]
    paths += [path for root in table["root"] for _, path in root["cards"]]
    named = [*table["labels"], *table["hidden"], *table["quiet"], *table["lists"], *table["identity"]["names"], *paths]
    named += [*table["headings"].values(), *table["headings"], *table["pairs"].values(), *table["pairs"]]
    named += [name for join in table["joins"] for part in join["parts"] for name in part]
    steps = {step for path in named for step in path.split("/")}
    assert steps - set(places()) == {"*", "Signature", "NUM", "DENOM"}


def test_the_schemas_say_what_kind_of_value_stands_where() -> None:
    found = places()
    kinds = {
        "DateOfBirth": Kind.TIME,
        "TidspunktForHendelse": Kind.TIME,
        "Anslag": Kind.TRUTH,
        "IsDeaf": Kind.TRUTH,
        "Styrke": Kind.AMOUNT,
        "TeleAddress": Kind.ADDRESS,
        "TekstNotatInnhold": Kind.RICH,
        "Base64Container": Kind.BYTES,
        "Hendelsekode": Kind.CODE,
        "MsgId": Kind.WORDS,
        "Sender": Kind.GROUP,
    }
    assert {name: found[name].kind for name in kinds} == kinds


# Values


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2018-02-02T15:40:00", "2. februar 2018 kl. 15.40"),
        ("2018-02-02T15:40:59.123456789", "2. februar 2018 kl. 15.40"),
        ("2018-07-02T22:40:00Z", "3. juli 2018 kl. 00.40"),
        ("2018-02-02T15:40:00-05:00", "2. februar 2018 kl. 21.40"),
        ("2018-12-24", "24. desember 2018"),
        ("2018-12-24+01:00", "24. desember 2018"),
        ("2018-05", "mai 2018"),
        ("2018", "2018"),
        ("15:40:00", "kl. 15.40"),
        ("2018-02-30", "2018-02-30"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("i går", "i går"),
    ],
)
def test_times_are_written_out(written: str, read: str) -> None:
    assert values.moment(written) == read


@pytest.mark.parametrize(
    ("number", "read"), [(0, "0 byte"), (640, "640 byte"), (2_000, "2 kB"), (67_300, "67 kB"), (3_400_000, "3,4 MB")]
)
def test_sizes_are_written_in_three_signs(number: int, read: str) -> None:
    assert values.size(number) == read


@given(st.binary(max_size=200), st.sampled_from(["", "\n", " \r\n\t"]))
def test_the_size_of_base64_is_that_of_what_it_holds(content: bytes, blank: str) -> None:
    assert values.size_of_base64(blank + base64.b64encode(content).decode() + blank) == len(content)


def test_other_values_are_written_as_one_says_them() -> None:
    assert [values.truth(text) for text in ("true", "1", "false", "0", "vet")] == ["Ja", "Ja", "Nei", "Nei", "vet"]
    assert [values.number(text) for text in ("0.5", "12", "1.2.3")] == ["0,5", "12", "1.2.3"]
    assert [values.address(text) for text in ("tel:22 33", "MAILTO:a@b.no", "http:x")] == ["22 33", "a@b.no", "http:x"]
