"""Documents to start from, and one way to change them that fails when there is nothing to change."""

from __future__ import annotations

import fixtures

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
REFERRAL = fixtures.read("valid/henvisning/2.0/henvisning_nytilstand_n.xml")
TO_A_PERSON = fixtures.read("valid/dialogmelding/1.1/dialog_status_henvisning.xml")
RECEIPT = fixtures.read("valid/apprec/1.1/apprec_avvist.xml")

SENDER, RECEIVER = 8100001, 8110001
"""The HER-ids of level 2 in ADMITTED."""


def edited(content: bytes, *changes: tuple[str, str], times: int = 1) -> bytes:
    """Replace each first text (or the first few) by another; a change that finds nothing is a mistake of the test."""
    text = content.decode()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, times)
    return text.encode()


def nowhere(content: bytes, start: str, end: str) -> bytes:
    """Cut out what stands from `start` to the end of the next `end`."""
    text = content.decode()
    first = text.index(start)
    last = text.index(end, first) + len(end)
    return (text[:first] + text[last:]).encode()


def with_attachment(content: bytes, base64: bytes) -> bytes:
    """Add a document that carries an attachment in one text node."""
    attachment = (
        b'<Document><RefDoc><MsgType V="A"/><MimeType>application/pdf</MimeType><Content>'
        b'<b:Base64Container xmlns:b="http://www.kith.no/xmlstds/base64container">'
        + base64
        + b"</b:Base64Container></Content></RefDoc></Document></MsgHead>"
    )
    assert content.count(b"</MsgHead>") == 1
    return content.replace(b"</MsgHead>", attachment)
