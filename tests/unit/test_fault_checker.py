"""The checker of runs under faults is itself checked: a good run passes, each broken promise is found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.checker import RULES, violations
from faults.evidence import FAIL, OK, UNKNOWN, Evidence, Row, history

from canary import NAME

WARD, NURSING, STRANGER = 8100001, 8110001, 8120001
MESSAGE, APPREC, DELIVERY, BACK = "message-1", "apprec-1", "delivery-1", "delivery-2"
SHA, APPREC_SHA = "aa", "bb"


def at(second: int) -> str:
    return f"2026-03-09T12:00:{second:02}.000000+00:00"


NOON = 1773057600.0


def operation(op: str, client: str, her_ids: list[int], start: float, end: float, **told: object) -> Row:
    row = {"op": op, "client": client, "her_ids": her_ids, "start": NOON + start, "end": NOON + end, "outcome": OK}
    return {**row, **told}


def line(number: int, event: str, message: str, delivery: str | None = None, **detail: object) -> Row:
    return {
        "id": number,
        "at": at(number),
        "event": event,
        "actor": "exchange",
        "message_id": message,
        "delivery_id": delivery,
        "her_id": None,
        "detail": detail,
    }


def delivery(number: str, message: str, receiver: int, state: str, **told: object) -> Row:
    row = {
        "id": number,
        "message_id": message,
        "receiver_her_id": receiver,
        "state": state,
        "owner": "",
        "due_at": None,
        "receipt_due_at": at(59),
        "attempts": 0,
        "attempts_before_resend": 0,
        "receipt_message_id": None,
        "refused_by_receiver": False,
    }
    return {**row, **told}


def good() -> Evidence:
    """A document that came through at the second attempt, was answered, and whose AppRec was taken by its sender."""
    status = [{"her_id": NURSING, "transport": "Unconfirmed", "apprec": None}]
    later = [{"her_id": NURSING, "transport": "Acknowledged", "apprec": "Ok"}]
    arrived = {"delivery_id": DELIVERY, "message_id": MESSAGE, "receiver": NURSING, "sha256": SHA}
    return Evidence(
        operations=[
            operation("post", "ward", [WARD], 0, 1, sender=WARD, msg_id="m", sha256=SHA, outcome=UNKNOWN),
            operation("post", "ward", [WARD], 1, 2, sender=WARD, msg_id="m", sha256=SHA, message_id=MESSAGE),
            operation("post", "ward", [WARD], 2, 3, sender=WARD, msg_id="m", sha256="cc", outcome=FAIL),
            operation("status", "ward", [WARD], 2, 3, message_id=MESSAGE, receivers=status),
            operation("arrived", "far", [NURSING], 4, 4.1, **arrived, attempt=1, outcome=UNKNOWN),
            operation("arrived", "far", [NURSING], 5, 5.1, **arrived, attempt=2),
            operation("read", "nursing", [NURSING], 7, 8, message_id=MESSAGE, sha256=SHA),
            operation("answer", "nursing", [NURSING], 8, 9, sender=NURSING, answers=MESSAGE),
            operation("status", "ward", [WARD], 10, 11, message_id=MESSAGE, receivers=later),
            operation("read", "ward", [WARD], 11, 12, message_id=APPREC, sha256=APPREC_SHA),
            operation(
                "probe",
                "stranger",
                [STRANGER],
                5,
                6,
                message_id=MESSAGE,
                status=404,
                sha256="dd",
                unknown_status=404,
                unknown_sha256="dd",
            ),
        ],
        messages=[
            {"id": MESSAGE, "sender_her_id": WARD, "msg_id": "m", "digest": SHA, "answers_id": None},
            {"id": APPREC, "sender_her_id": NURSING, "msg_id": "r", "digest": APPREC_SHA, "answers_id": MESSAGE},
        ],
        deliveries=[
            delivery(DELIVERY, MESSAGE, NURSING, "acknowledged", attempts=2, receipt_message_id=APPREC),
            delivery(BACK, APPREC, WARD, "delivered"),
        ],
        attempts=[
            {"delivery_id": DELIVERY, "number": 1, "started_at": at(4), "ended_at": at(5)},
            {"delivery_id": DELIVERY, "number": 2, "started_at": at(5), "ended_at": at(6)},
        ],
        payloads=[{"message_id": MESSAGE, "sha256": SHA}, {"message_id": APPREC, "sha256": APPREC_SHA}],
        keys=[MESSAGE, APPREC],
        lines=[
            line(1, "message.received", MESSAGE),
            line(2, "delivery.created", MESSAGE, DELIVERY, to="pending"),
            line(3, "delivery.claimed", MESSAGE, DELIVERY, **{"from": "pending", "to": "sending"}),
            line(4, "delivery.lease_lapsed", MESSAGE, DELIVERY, **{"from": "sending", "to": "pending"}),
            line(5, "delivery.claimed", MESSAGE, DELIVERY, **{"from": "pending", "to": "sending"}),
            line(6, "delivery.handed_over", MESSAGE, DELIVERY, **{"from": "sending", "to": "sent"}),
            line(7, "message.received", APPREC),
            line(8, "delivery.created", APPREC, BACK, to="delivered"),
            line(9, "delivery.acknowledged", MESSAGE, DELIVERY, **{"from": "sent", "to": "acknowledged"}),
            line(10, "delivery.collected", MESSAGE, DELIVERY, **{"from": "acknowledged", "to": "acknowledged"}),
        ],
        run={
            "give_up_after": 20,
            "lease_seconds": 5,
            "now": NOON + 60,
            "grace": 10,
            "verified": {"samhandling audit verify": 0, "verify_audit.py": 0},
            "resources": {"before": {"fds": 20}, "after": {"fds": 21}, "slack": {"fds": 3}},
        },
        logs={"one.log": '{"event": "request"}'},
    )


Break = Callable[[Evidence], object]


def _said(evidence: Evidence, number: int, **told: object) -> None:
    evidence.operations[number].update(told)


BREAKS: list[tuple[str, str, Break]] = [
    ("I1", "is not there: lost", lambda e: e.messages.pop(0)),
    ("I1", "is another document", lambda e: e.messages[0].update(digest="ee")),
    ("I1", "AppRec for message message-1 was accepted", lambda e: e.messages[1].update(answers_id=None)),
    ("I1", "does not open to the bytes", lambda e: e.payloads[0].update(sha256=None)),
    ("I2", "nobody sent it", lambda e: e.messages.append({**e.messages[0], "id": "x", "msg_id": "x"})),
    ("I2", "which is not kept", lambda e: _said(e, 6, message_id="x")),
    ("I2", "with other bytes", lambda e: _said(e, 5, sha256="ee")),
    ("I3", "still is sent", lambda e: e.deliveries[0].update(state="sent")),
    ("I3", "owed to nobody", lambda e: e.deliveries.pop(0)),
    (
        "I4",
        "ended 2 times",
        lambda e: e.lines.append(line(11, "delivery.closed", MESSAGE, DELIVERY, **{"from": "sent", "to": "closed"})),
    ),
    ("I4", "came as attempt 1 after attempt 1", lambda e: _said(e, 5, attempt=1)),
    (
        "I4",
        "came again after the exchange had settled",
        lambda e: e.operations.append(
            {**e.operations[5], "attempt": 3, "start": NOON + 20, "end": NOON + 21},
        ),
    ),
    ("I5", "messages with the MsgId", lambda e: e.messages.append({**e.messages[0], "id": "x"})),
    ("I5", "other bytes accepted", lambda e: _said(e, 2, outcome=OK, message_id=MESSAGE)),
    ("I5", "several ids", lambda e: e.operations.append({**e.operations[1], "message_id": "x"})),
    ("I6", "a message that is not there", lambda e: e.messages[1].update(answers_id="x")),
    ("I6", "without an AppRec", lambda e: e.deliveries[0].update(receipt_message_id=None)),
    ("I6", "answers something else", lambda e: e.deliveries[0].update(receipt_message_id=MESSAGE)),
    ("I7", "which is not theirs", lambda e: _said(e, 6, her_ids=[STRANGER])),
    ("I7", "from an unknown one", lambda e: _said(e, 10, sha256="ee")),
    ("I8", "overlap", lambda e: e.attempts[0].update(ended_at=at(6))),
    ("I8", "overlap", lambda e: e.attempts[0].update(ended_at=None)),
    ("I8", "numbered one by one", lambda e: e.attempts[1].update(number=3)),
    ("I9", "not as it was sealed", lambda e: e.run["verified"].update({"verify_audit.py": 1})),
    ("I9", "was made twice", lambda e: e.lines.insert(2, e.lines[1])),
    ("I9", "and not sent", lambda e: e.lines.pop(5)),
    ("I9", "does not lead", lambda e: e.lines[8]["detail"].update(to="rejected")),
    ("I9", "its log ends in", lambda e: e.deliveries[1].update(state="closed")),
    ("I9", "tells 0 times", lambda e: e.lines.pop(0)),
    ("I9", "tells of message", lambda e: e.messages.pop(1)),
    ("I10", "has no deadline", lambda e: e.deliveries[0].update(owner="receiver", receipt_due_at=None)),
    ("I10", "past its time", lambda e: e.deliveries[0].update(owner="worker", due_at=at(1))),
    ("I10", "of which there is no row", lambda e: e.attempts.pop(0)),
    ("I11", "belongs to no message", lambda e: e.messages.pop(1)),
    ("I11", "which is not there", lambda e: e.deliveries.pop(0)),
    ("I11", "has no key", lambda e: e.keys.pop()),
    ("I11", "a key and no document", lambda e: e.payloads.pop()),
    ("I11", "a document is kept for", lambda e: e.payloads.append({"message_id": "x", "sha256": SHA})),
    ("I12", "went backwards", lambda e: _said(e, 3, start=NOON + 20, end=NOON + 21)),
    ("I12", "before 8110001 had answered", lambda e: _said(e, 7, start=NOON + 30)),
    ("I12", "before 8110001 had answered", lambda e: e.operations.pop(7)),
    ("I13", "was attempted 21 times", lambda e: e.deliveries[0].update(attempts=21)),
    (
        "I13",
        "more than 60 times in a minute",
        lambda e: e.attempts.extend(
            {"delivery_id": DELIVERY, "number": n, "started_at": at(7), "ended_at": at(7)} for n in range(3, 70)
        ),
    ),
    ("I14", "fds was 20 before and is 99", lambda e: e.run["resources"]["after"].update(fds=99)),
    ("I15", "pieces of patients' data", lambda e: e.logs.update({"two.log": f"who: {NAME}"})),
]


def test_a_good_run_breaks_no_promise() -> None:
    assert violations(good()) == []


@pytest.mark.parametrize(("rule", "said", "broken"), BREAKS, ids=[f"{rule} {said}" for rule, said, _ in BREAKS])
def test_each_way_of_breaking_a_promise_is_found(rule: str, said: str, broken: Break) -> None:
    evidence = copy.deepcopy(good())
    broken(evidence)
    assert [one for one in violations(evidence) if one.rule.startswith(f"{rule} ") and said in one.text]


def _settles_late(evidence: Evidence) -> None:
    """Let the second attempt begin when the lease of the first has lapsed, and the first arrive after it."""
    evidence.attempts[0].update(started_at=at(0), ended_at=at(8))
    arrived = evidence.operations[4]
    evidence.operations.append({**arrived, "start": NOON + 6.5, "end": NOON + 6.6})


def test_a_worker_that_stood_still_while_its_lease_lapsed_may_send_and_end_late() -> None:
    evidence = good()
    _settles_late(evidence)
    assert {one.rule.partition(" ")[0] for one in violations(evidence)} == {"I4"}
    evidence.run["pauses"] = [[NOON + 1, NOON + 6.4]]
    assert violations(evidence) == []
    evidence.run["pauses"] = [[NOON + 1, NOON + 2]]
    assert {one.rule.partition(" ")[0] for one in violations(evidence)} == {"I4"}


def test_every_promise_has_a_run_that_breaks_it() -> None:
    assert {rule.partition(" ")[0] for rule in RULES} == {rule for rule, _, _ in BREAKS}


def test_a_history_is_on_disk_before_the_next_thing_is_done(tmp_path: Path) -> None:
    with history(tmp_path, "ward", [WARD]) as kept:
        kept.write("post", NOON, OK, msg_id="m")
        text = (tmp_path / "history" / "ward.jsonl").read_text("utf-8")
    assert '"msg_id": "m"' in text
    assert text.endswith("\n")
