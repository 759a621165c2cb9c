"""What a document says stays inert wherever it is shown (A13): pages, texts, receipts, AppRecs."""

from __future__ import annotations

import re

import pytest
from edits import ADMITTED, edited
from lxml import html

from messaging.documents import Validator, named_receivers, write_apprec
from messaging.documents.rendering import render_html, render_text
from messaging.model.receipt import Receipt, ReceiptError, ReceiptStatus

SHOWN = {
    "script": "<script>alert(1)</script>",
    "image": '"><img src=x onerror=alert(1)>',
    "attribute": "' onmouseover='alert(1)",
    "address": "javascript:alert(1)",
    "template": "{{7*7}} ${7*7} <%= 7*7 %> #{7*7}",
    "format": "{0.__class__} %s %n %(name)s",
    "formula": '=HYPERLINK("http://127.0.0.1:1","x")',
    "sql": "'; DROP TABLE message; --",
    "ldap": "*)(uid=*))(|(uid=*",
    "lookup": "${jndi:ldap://127.0.0.1:1/a}",
    "lines": "one\nlevel=ERROR msg=forged",
    "direction": "\u202egnp.exe",
}
ACTIVE = {"script", "img", "iframe", "a", "svg", "object", "embed", "link", "style", "form", "input", "base", "meta"}
ATTRIBUTES = {"class", "lang", "colspan", "rowspan", "scope", "id"}


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def with_shown(text: str) -> bytes:
    """Put a text where a page shows it: a place, names of organisations, the texts of codes."""
    written = escaped(text)
    return edited(
        ADMITTED,
        ("<City>Drammen</City>", f"<City>{written}</City>"),
        ("<OrganisationName>", f"<OrganisationName>{written}"),
        ('DN="', f'DN="{written}'),
        times=5,
    )


@pytest.mark.parametrize("text", SHOWN.values(), ids=SHOWN)
def test_a13_what_a_document_says_becomes_no_markup_of_the_page(text: str) -> None:
    page = render_html(with_shown(text))
    elements = [*html.fragment_fromstring(page).iter()]
    assert {str(element.tag) for element in elements} & ACTIVE == set()
    assert {str(name) for element in elements for name in element.attrib} <= ATTRIBUTES
    assert "\u202e" not in page


@pytest.mark.parametrize("text", [*SHOWN.values(), "\x85\x9b2J", "a\u2028b"], ids=[*SHOWN, "control", "separator"])
def test_a13_what_a_document_says_steers_no_terminal(text: str) -> None:
    shown = render_text(with_shown(text))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]", shown)


@pytest.mark.parametrize("text", SHOWN.values(), ids=SHOWN)
def test_a13_no_fault_and_no_warning_repeats_it(text: str, validator: Validator) -> None:
    verdict = validator.judge(with_shown(text))
    told = " ".join(
        f"{one.text} {one.norwegian} {one.path} {one.source}" for one in (*verdict.faults, *verdict.warnings)
    )
    assert text not in told
    assert escaped(text) not in told


@pytest.mark.parametrize("text", SHOWN.values(), ids=SHOWN)
def test_a13_in_an_apprec_it_is_text_and_nothing_else(text: str, validator: Validator) -> None:
    original = with_shown(text)
    (answerer, *_) = named_receivers(original)
    errors = (ReceiptError("E36", "Pasientopplysninger er utilstrekkelige", text),)
    content = write_apprec(
        original,
        Receipt(ReceiptStatus.REJECTED, errors),
        version="1.1",
        answerer=answerer,
        msg_id="57c4e434-531c-5378-b452-b60c23805cbf",
        gen_date="2026-03-09T12:00:00+01:00",
    )
    verdict = validator.judge(content)
    assert verdict.faults == ()
    assert verdict.envelope is not None
    assert verdict.envelope.receipt is not None
    assert verdict.envelope.receipt.errors[0].details == text
    assert b"<script" not in content
    assert content.count(b"<Error ") == 1
