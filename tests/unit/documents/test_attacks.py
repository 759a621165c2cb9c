"""The collected attacks on XML readers get the answer that the collection expects, and reach nothing outside."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import judging_child
import pytest
from attacks import ABSENT, ATTACKS, EITHER, MANIFEST, UNREADABLE, Attack, attacks

from messaging.documents import Validator
from messaging.documents.reader import Tree, read
from messaging.model.faults import Fault

pytestmark = pytest.mark.skipif(not MANIFEST.exists(), reason=ABSENT)


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


@pytest.mark.parametrize("attack", attacks(), ids=lambda attack: attack.id)
def test_an_attack_gets_the_expected_answer(attack: Attack, validator: Validator) -> None:
    content = attack.content
    answer = read(content)
    if attack.expected != EITHER:
        assert isinstance(answer, Fault if attack.expected == UNREADABLE else Tree)
    verdict = validator.judge(content)
    assert not verdict.accepted, "no attack carries a payload that is a message"
    assert (verdict.faults[0].code == "T01") is isinstance(answer, Fault)


def test_no_attack_opens_a_file_or_a_socket(validator: Validator) -> None:
    contents = [attack.content for attack in attacks()]
    with nothing_opened() as seen:
        for content in contents:
            validator.judge(content)
    assert seen == []


def test_every_attack_is_answered_soon(validator: Validator) -> None:
    slow = {}
    for attack in attacks():
        content = attack.content
        start = time.process_time()
        validator.judge(content)
        if (took := time.process_time() - start) > 0.5:
            slow[attack.id] = took
    assert slow == {}


def test_a_comment_inside_an_identifier_changes_nothing(validator: Validator) -> None:
    plain = validator.judge((ATTACKS / "xsw" / "xsw-0-genuine.xml").read_bytes()).envelope
    hidden = validator.judge((ATTACKS / "xsw" / "xsw-17-comment-in-id.xml").read_bytes()).envelope
    assert plain is not None
    assert hidden is not None
    assert hidden.receivers == plain.receivers


STRACE = shutil.which("strace")
GROWN_KILOBYTES = 150_000
"""A document at the limit of elements takes some 100 MB while it is judged; an expanded entity would take gigabytes."""


def traced(tmp_path: Path, documents: list[bytes], *options: str) -> tuple[list[str], str]:
    """Judge documents in a child under strace: what it opened or connected to while it judged, and what it said."""
    if STRACE is None:
        pytest.skip("strace (Debian's package strace) is not installed")
    trace = tmp_path / "trace"
    watch = [STRACE, "-f", "-qq", "-s", "300", "-e", "trace=open,openat,openat2,creat,socket,connect", "-o", str(trace)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(  # noqa: S603 - our own script
        [*watch, sys.executable, judging_child.__file__, *options],
        input=judging_child.framed(documents),
        capture_output=True,
        check=False,
        env=environment,
    )
    if b"ptrace" in done.stderr or b"PTRACE" in done.stderr:
        pytest.skip("this machine lets no process be traced (ptrace)")
    assert done.returncode == 0, done.stderr.decode()
    calls = trace.read_text("utf-8", "replace").splitlines()
    begin, end = (next(at for at, call in enumerate(calls) if mark in call) for mark in MARKS)
    judged = [call for call in calls[begin + 1 : end] if not any(path in call for path in OF_GLIBC)]
    return judged, done.stdout.decode()


OF_GLIBC = ("/proc/sys/vm/overcommit_memory", "/sys/devices/system/cpu/online")
"""What the C library looks up when memory is given back, and when it makes a thread."""
MARKS = (f'"{judging_child.BEGIN}"', f'"{judging_child.END}"')


def test_a1_a2_a3_a4_no_attack_makes_libxml2_open_a_file_or_a_socket_or_take_much_memory(tmp_path: Path) -> None:
    calls, said = traced(tmp_path, [attack.content for attack in attacks()])
    assert calls == []
    told = json.loads(said)
    assert len(told["took"]) == len(attacks())
    assert told["accepted"] == 0
    assert told["grown_kilobytes"] < GROWN_KILOBYTES


def test_a_parser_that_fetches_would_be_seen(tmp_path: Path) -> None:
    canary = tmp_path / "canary.txt"
    canary.write_text("canary")
    document = f'<!DOCTYPE a [<!ENTITY b SYSTEM "{canary.as_uri()}">]><a>&b;</a>'.encode()
    calls, _ = traced(tmp_path, [document], "--dangerously")
    assert any("canary.txt" in call for call in calls)
    calls, _ = traced(tmp_path, [document])
    assert calls == []
