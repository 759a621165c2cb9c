"""The collected attacks on XML readers get the answer that the collection expects, and reach nothing outside."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from messaging.documents import Validator
from messaging.documents.reader import Tree, read
from messaging.model.faults import Fault
from world import SHARED

ATTACKS = SHARED / "security" / "attacks"
MANIFEST = ATTACKS / "manifest.jsonl"

pytestmark = pytest.mark.skipif(not MANIFEST.exists(), reason=f"the collection of attacks is not at {ATTACKS}")

READ_ALL_THE_SAME = {
    "enc-nodecl-utf-7": "declares nothing, and is plain ASCII: read as UTF-8, and nothing in it hides",
    "enc-decl-iso_8859_1": "is one of the two encodings that the standards allow",
}
"""Where this exchange answers otherwise than the collection's strictest policy, and why that is right."""

REFUSED_HERE = (
    "reject-400",
    "reject-400-doctype",
    "reject-400-encoding",
    "reject-400-limit",
    "reject-400-malformed",
    "reject-400/415",
    "reject-415",
    "policy: accept only utf-8",
)
DECIDED_ELSEWHERE = {
    "accept-neutralised-or-422": "read, and inert: the schema or the kind of message decides",
    "accept-or-422": "read, and inert: the schema or the kind of message decides",
    "accept-or-limit": "either is right",
    "policy": "either is right",
    "reject-400-limit-or-422": "either is right",
    "reject-422-schema": "the schema decides",
    "reject-422-unknown-root": "the kind of message decides",
    "reject-422-msgid or accept inert": "the rules decide",
    "reject-422/403 (sender spoof)": "the rules decide, and the door, which knows the caller",
    "reject-or-canonical": "see the test on comments in identifiers",
    "reject-signature": "signatures are looked at where a policy asks for them",
    "reject": "signatures are looked at where a policy asks for them",
}


def attacks() -> list[dict[str, Any]]:
    return [json.loads(line) for line in MANIFEST.read_text().splitlines()] if MANIFEST.exists() else []


def reader_refuses(attack: dict[str, Any]) -> bool | None:
    """Tell what the reader must do with an attack; None where either answer is right, or where another part decides."""
    if attack["id"] in READ_ALL_THE_SAME:
        return False
    words = {**dict.fromkeys(REFUSED_HERE, True), **dict.fromkeys(DECIDED_ELSEWHERE, None), "accept": False}
    return words[max((word for word in words if attack["expect"].startswith(word)), key=len)]


@contextmanager
def nothing_opened() -> Iterator[list[str]]:
    """Note every file and socket that Python is asked to open."""
    seen: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event in {"open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"}:
            seen.append(f"{event} {arguments[:1]}")

    sys.addaudithook(watch)
    yield seen
    watching = False


def content_of(attack: dict[str, Any]) -> bytes:
    return Path(ATTACKS / attack["file"]).read_bytes()


@pytest.mark.parametrize("attack", attacks(), ids=lambda attack: attack["id"])
def test_an_attack_gets_the_expected_answer(attack: dict[str, Any], validator: Validator) -> None:
    content = content_of(attack)
    answer = read(content)
    if (refuses := reader_refuses(attack)) is not None:
        assert isinstance(answer, Fault if refuses else Tree)
    verdict = validator.judge(content)
    assert not verdict.accepted, "no attack carries a payload that is a message"
    assert (verdict.faults[0].code == "T01") is isinstance(answer, Fault)


def test_no_attack_opens_a_file_or_a_socket(validator: Validator) -> None:
    contents = [content_of(attack) for attack in attacks()]
    with nothing_opened() as seen:
        for content in contents:
            validator.judge(content)
    assert seen == []


def test_every_attack_is_answered_soon(validator: Validator) -> None:
    slow = {}
    for attack in attacks():
        content = content_of(attack)
        start = time.process_time()
        validator.judge(content)
        if (took := time.process_time() - start) > 0.5:
            slow[attack["id"]] = took
    assert slow == {}


def test_a_comment_inside_an_identifier_changes_nothing(validator: Validator) -> None:
    plain = validator.judge((ATTACKS / "xsw" / "xsw-0-genuine.xml").read_bytes()).envelope
    hidden = validator.judge((ATTACKS / "xsw" / "xsw-17-comment-in-id.xml").read_bytes()).envelope
    assert plain is not None
    assert hidden is not None
    assert hidden.receivers == plain.receivers
