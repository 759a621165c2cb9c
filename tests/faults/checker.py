"""The one checker: whether what clients saw, what the database holds and what the audit log says keep the promises.

`python checker.py FOLDER` judges what a run left behind. Each rule gives sentences about what breaks it; no sentence is
what one wants to see. The names I1 to I15 are those of docs/reliability.md.
"""

from __future__ import annotations

import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from faults.evidence import FAIL, OK, Evidence, Row

from canary import leaks
from messaging.model.lifecycle import FINAL, State, after
from messaging.model.lifecycle import Event as Moved

ENDS = frozenset(state.value for state in FINAL) | {State.FAILED.value}
"""Where a delivery may rest once faults are over: final, or given up and in an operator's hands."""

_BY_US = "exchange"
_MOST_A_MINUTE = 60
_CLOCK = 0.001
"""Seconds by which two instants that were read one after the other may seem to stand the other way round."""
_TRANSPORT = {"Unconfirmed": 0, "Acknowledged": 1, "Rejected": 1, "Abandoned": 1}


@dataclass(frozen=True, slots=True)
class Violation:
    """One promise that was not kept."""

    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"


Rule = Callable[[Evidence], Iterator[str]]
RULES: dict[str, Rule] = {}


def _rule(name: str) -> Callable[[Rule], Rule]:
    def put(rule: Rule) -> Rule:
        RULES[name] = rule
        return rule

    return put


def violations(evidence: Evidence) -> list[Violation]:
    """Judge by every rule."""
    return [Violation(name, text) for name, rule in RULES.items() for text in rule(evidence)]


def _of(evidence: Evidence, op: str, *outcomes: str) -> list[Row]:
    return [row for row in evidence.operations if row["op"] == op and (not outcomes or row["outcome"] in outcomes)]


def _by_id(rows: list[Row], name: str = "id") -> dict[str, Row]:
    return {row[name]: row for row in rows}


def _grouped(rows: list[Row], *names: str) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row[name] for name in names) if len(names) > 1 else row[names[0]]].append(row)
    return found


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@_rule("I1 what was accepted is kept")
def kept(evidence: Evidence) -> Iterator[str]:
    stored = _by_id(evidence.messages)
    payloads = _by_id(evidence.payloads, "message_id")
    for post in _of(evidence, "post", OK):
        row = stored.get(post["message_id"])
        if row is None:
            yield f"{post['msg_id']} was accepted as {post['message_id']} and is not there: lost"
        elif (row["sender_her_id"], row["msg_id"], row["digest"]) != (post["sender"], post["msg_id"], post["sha256"]):
            yield f"{post['msg_id']} was accepted as {post['message_id']}, which is another document"
        elif payloads.get(row["id"], {}).get("sha256") != post["sha256"]:
            yield f"{post['msg_id']} is kept, and what is kept does not open to the bytes that were sent"
    answers = {(row["sender_her_id"], row["answers_id"]) for row in evidence.messages}
    for row in _of(evidence, "answer", OK):
        if (row["sender"], row["answers"]) not in answers:
            yield f"{row['sender']}'s AppRec for message {row['answers']} was accepted and is not there: lost"


@_rule("I2 nothing is invented")
def invented(evidence: Evidence) -> Iterator[str]:
    tried = {(post["sender"], post["msg_id"], post["sha256"]) for post in _of(evidence, "post")}
    answered = {(row["sender"], row["answers"]) for row in _of(evidence, "answer")}
    for row in evidence.messages:
        by_json = (row["sender_her_id"], row["answers_id"]) in answered  # the exchange wrote the AppRec's document
        if (row["sender_her_id"], row["msg_id"], row["digest"]) not in tried and not by_json:
            yield f"message {row['id']} is kept, and nobody sent it"
    stored = _by_id(evidence.messages)
    for seen in [*_of(evidence, "read", OK), *_of(evidence, "arrived")]:
        row = stored.get(seen["message_id"])
        if row is None:
            yield f"{seen['client']} was given message {seen['message_id']}, which is not kept"
        elif row["digest"] != seen["sha256"]:
            yield f"{seen['client']} was given message {seen['message_id']} with other bytes than were sent"


@_rule("I3 everything reaches its end")
def ended(evidence: Evidence) -> Iterator[str]:
    accepted = {post["message_id"] for post in _of(evidence, "post", OK)}
    for row in evidence.deliveries:
        if row["message_id"] in accepted and row["state"] not in ENDS:
            yield f"delivery {row['id']} of an accepted message still is {row['state']}"
    addressed = {row["message_id"] for row in evidence.deliveries}
    for message_id in accepted - addressed:
        yield f"message {message_id} was accepted and is owed to nobody"


@_rule("I4 one effect for each receiver")
def once(evidence: Evidence) -> Iterator[str]:
    ends: Counter[str] = Counter()
    for line in evidence.lines:
        was, now = line["detail"].get("from"), line["detail"].get("to")
        if line["delivery_id"] and now in ENDS and was is not None and was not in ENDS:
            ends[line["delivery_id"]] += 1
    reopened = Counter(line["delivery_id"] for line in evidence.lines if line["event"] == f"delivery.{Moved.RESENT}")
    for delivery_id, number in ends.items():
        if number - reopened[delivery_id] > 1:
            yield f"delivery {delivery_id} ended {number} times"


@_rule("I4 no attempt after it was taken")
def taken_once(evidence: Evidence) -> Iterator[str]:
    moves = (f"delivery.{Moved.HANDED_OVER}", f"delivery.{Moved.RECEIPT_HANDED_OVER}")
    attempts = {(row["delivery_id"], row["number"]): row for row in evidence.attempts}
    settled: dict[str, float] = {}
    for line in evidence.lines:
        if line["event"] in moves:
            settled.setdefault(line["delivery_id"], _instant(line["at"]))
    for delivery_id, came in _grouped(_of(evidence, "arrived"), "delivery_id").items():
        # What a process sent that was stopped between its last look at the lease and the sending comes late.
        late = [row for row in came if _stood_still(evidence, attempts.get((delivery_id, row["attempt"])))]
        arrivals = sorted((row for row in came if row not in late), key=lambda row: row["start"])
        if not arrivals:
            continue
        for one, two in pairwise(arrivals):
            if two["attempt"] <= one["attempt"]:
                yield f"delivery {delivery_id} came as attempt {two['attempt']} after attempt {one['attempt']}"
        if arrivals[-1]["start"] > settled.get(delivery_id, arrivals[-1]["start"]):
            yield f"delivery {delivery_id} came again after the exchange had settled that it was taken"


@_rule("I5 a MsgId is one document")
def distinct(evidence: Evidence) -> Iterator[str]:
    for (sender, msg_id), rows in _grouped(evidence.messages, "sender_her_id", "msg_id").items():
        if len(rows) > 1:
            yield f"{sender} has {len(rows)} messages with the MsgId {msg_id}"
    for (sender, msg_id), posts in _grouped(_of(evidence, "post", OK), "sender", "msg_id").items():
        if len({post["sha256"] for post in posts}) > 1:
            yield f"{sender} got other bytes accepted under the MsgId {msg_id}"
        if len({post["message_id"] for post in posts}) > 1:
            yield f"{sender} was told several ids for the MsgId {msg_id}"


@_rule("I6 every receipt belongs to a message, and every message that ended has one")
def receipts(evidence: Evidence) -> Iterator[str]:
    stored = _by_id(evidence.messages)
    for row in evidence.messages:
        if row["answers_id"] and row["answers_id"] not in stored:
            yield f"AppRec {row['id']} answers a message that is not there"
    for delivery in evidence.deliveries:
        receipt = delivery["receipt_message_id"]
        by_apprec = delivery["state"] in (State.ACKNOWLEDGED.value, State.REJECTED.value)
        if by_apprec and not receipt and not delivery["refused_by_receiver"]:
            yield f"delivery {delivery['id']} is {delivery['state']} without an AppRec"
        if receipt and stored.get(receipt, {}).get("answers_id") != delivery["message_id"]:
            yield f"delivery {delivery['id']} names an AppRec that answers something else"


@_rule("I7 nobody sees what is not theirs")
def private(evidence: Evidence) -> Iterator[str]:
    may: dict[str, set[int]] = {row["id"]: {row["sender_her_id"]} for row in evidence.messages}
    for delivery in evidence.deliveries:
        may.setdefault(delivery["message_id"], set()).add(delivery["receiver_her_id"])
    for row in [*_of(evidence, "read", OK), *_of(evidence, "status", OK), *_of(evidence, "arrived")]:
        if not may.get(row["message_id"], set()) & set(row["her_ids"]):
            yield f"{row['client']} saw message {row['message_id']}, which is not theirs"
    for row in _of(evidence, "probe"):
        if row["outcome"] == OK and (row["status"], row["sha256"]) != (row["unknown_status"], row["unknown_sha256"]):
            yield f"{row['client']} could tell the foreign message {row['message_id']} from an unknown one"


def _held_until(evidence: Evidence, attempt: Row) -> float:
    """Tell when the lease of an attempt ends."""
    return _instant(attempt["started_at"]) + float(evidence.run["lease_seconds"])


def _stood_still(evidence: Evidence, attempt: Row | None) -> bool:
    """Tell whether a process stood still at the moment when the lease of an attempt ended."""
    if attempt is None:
        return False
    end = _held_until(evidence, attempt)
    return any(begin <= end <= until + _CLOCK for begin, until in evidence.run.get("pauses", []))


@_rule("I8 one worker at a time holds a delivery")
def leased(evidence: Evidence) -> Iterator[str]:
    for delivery_id, rows in _grouped(evidence.attempts, "delivery_id").items():
        rows.sort(key=lambda row: row["number"])
        for one, two in pairwise(rows):
            # A worker that stood still may end its attempt after its lease has lapsed; then it no longer held it.
            holds_until = min(_held_until(evidence, one), _instant(one["ended_at"]) if one["ended_at"] else math.inf)
            if holds_until > _instant(two["started_at"]) + _CLOCK:
                yield f"attempts {one['number']} and {two['number']} of delivery {delivery_id} overlap"
        if [row["number"] for row in rows] != list(range(1, len(rows) + 1)):
            yield f"the attempts of delivery {delivery_id} are not numbered one by one"


@_rule("I9 the audit log is as it was sealed")
def sealed(evidence: Evidence) -> Iterator[str]:
    for name, code in evidence.run.get("verified", {}).items():
        if code:
            yield f"{name} ends with {code}: the log is not as it was sealed"


@_rule("I9 the audit log tells each message once")
def told(evidence: Evidence) -> Iterator[str]:
    received = Counter(line["message_id"] for line in evidence.lines if line["event"] == "message.received")
    stored = {message["id"] for message in evidence.messages}
    for message_id in stored:
        if received[message_id] != 1:
            yield f"the log tells {received[message_id]} times that message {message_id} was received"
    for message_id in received.keys() - stored:
        yield f"the log tells of message {message_id}, which is not kept"


@_rule("I9 the audit log tells each step")
def stepped(evidence: Evidence) -> Iterator[str]:
    states: dict[str, str] = {}
    for line in evidence.lines:
        if not line["delivery_id"]:
            continue
        if line["event"] == "delivery.created":
            if line["delivery_id"] in states:
                yield f"delivery {line['delivery_id']} was made twice"
            states[line["delivery_id"]] = line["detail"]["to"]
        elif "from" in line["detail"] and "to" in line["detail"]:
            yield from _step(states, line)
    for delivery in evidence.deliveries:
        if states.get(delivery["id"]) != delivery["state"]:
            yield f"delivery {delivery['id']} is {delivery['state']}; its log ends in {states.get(delivery['id'])}"


def _step(states: dict[str, str], line: Row) -> Iterator[str]:
    delivery_id, was, now = line["delivery_id"], line["detail"]["from"], line["detail"]["to"]
    event = line["event"].removeprefix("delivery.")
    if event not in set(Moved):
        return
    if states.get(delivery_id) != was:
        yield f"line {line['id']}: delivery {delivery_id} was {states.get(delivery_id)}, and not {was}"
    legal = after(State(was), Moved(event))
    if (legal.value if legal else was) != now:
        yield f"line {line['id']}: {event} does not lead from {was} to {now}"
    states[delivery_id] = now


@_rule("I10 nothing is owed in silence")
def owed(evidence: Evidence) -> Iterator[str]:
    now = evidence.run["now"]
    for row in evidence.deliveries:
        if row["owner"] and not row["due_at"] and not row["receipt_due_at"]:
            yield f"delivery {row['id']} is {row['state']}, owed by {row['owner']}, and has no deadline"
        late = row["owner"] == "worker" and row["due_at"] and _instant(row["due_at"]) < now - evidence.run["grace"]
        if late:
            yield f"delivery {row['id']} is {row['state']} and {now - _instant(row['due_at']):.0f} s past its time"
    tried = {(row["delivery_id"], row["number"]) for row in evidence.attempts}
    for row in _of(evidence, "arrived"):
        if (row["delivery_id"], row["attempt"]) not in tried:
            yield f"delivery {row['delivery_id']} was sent as attempt {row['attempt']}, of which there is no row"


@_rule("I11 nothing is half there")
def whole(evidence: Evidence) -> Iterator[str]:
    messages, deliveries = _by_id(evidence.messages), _by_id(evidence.deliveries)
    payloads, keyed = _by_id(evidence.payloads, "message_id"), set(evidence.keys)
    for delivery in evidence.deliveries:
        if delivery["message_id"] not in messages:
            yield f"delivery {delivery['id']} belongs to no message"
    for attempt in evidence.attempts:
        if attempt["delivery_id"] not in deliveries:
            yield f"an attempt belongs to delivery {attempt['delivery_id']}, which is not there"
    for message_id in messages:
        if (message_id in payloads) != (message_id in keyed):
            yield f"message {message_id} has {'no key' if message_id in payloads else 'a key and no document'}"
    for message_id in payloads.keys() - messages.keys():
        yield f"a document is kept for message {message_id}, which is not there"


@_rule("I12 a status never says too much, and never takes anything back")
def honest(evidence: Evidence) -> Iterator[str]:
    answers: dict[tuple[int, str], float] = {}
    for row in _of(evidence, "answer"):
        if row["outcome"] != FAIL:
            key = (row["sender"], row["answers"])
            answers[key] = min(row["start"], answers.get(key, row["start"]))
    for message_id, seen in _grouped(_of(evidence, "status", OK), "message_id").items():
        for receiver, looks in _looks(seen).items():
            yield from _backwards(message_id, receiver, looks)
            first = next((look for look in looks if look["apprec"]), None)
            begun = answers.get((receiver, message_id))
            if first and (begun is None or begun > first["end"]):
                yield f"message {message_id} was shown as answered by {receiver} before {receiver} had answered"


def _looks(seen: list[Row]) -> dict[int, list[Row]]:
    looks: dict[int, list[Row]] = defaultdict(list)
    for row in seen:
        for one in row["receivers"]:
            looks[one["her_id"]].append({**one, "start": row["start"], "end": row["end"]})
    for rows in looks.values():
        rows.sort(key=lambda row: row["start"])
    return looks


def _backwards(message_id: str, receiver: int, looks: list[Row]) -> Iterator[str]:
    highest: Row | None = None
    for look in looks:
        rank = (_TRANSPORT[look["transport"]], bool(look["apprec"]))
        if highest and look["start"] > highest["end"]:
            was = (_TRANSPORT[highest["transport"]], bool(highest["apprec"]))
            resent = highest["transport"] == "Abandoned"
            if (rank[0] < was[0] and not resent) or rank[1] < was[1]:
                yield f"the status of message {message_id} at {receiver} went backwards"
        if highest is None or look["end"] > highest["end"]:
            highest = look


@_rule("I13 nobody is tried without end")
def bounded(evidence: Evidence) -> Iterator[str]:
    for row in evidence.deliveries:
        if row["attempts"] - row["attempts_before_resend"] > evidence.run["give_up_after"]:
            yield f"delivery {row['id']} was attempted {row['attempts']} times"
    for delivery_id, rows in _grouped(evidence.attempts, "delivery_id").items():
        begun = sorted(_instant(row["started_at"]) for row in rows)
        if any(b - a < 60 for a, b in zip(begun, begun[_MOST_A_MINUTE:], strict=False)):
            yield f"delivery {delivery_id} was attempted more than {_MOST_A_MINUTE} times in a minute"


@_rule("I14 what was taken up is given back")
def released(evidence: Evidence) -> Iterator[str]:
    resources = evidence.run.get("resources")
    if not resources:
        return
    for name, before in resources["before"].items():
        now = resources["after"][name]
        if now > before * 1.1 + resources["slack"].get(name, 0):
            yield f"{name} was {before} before and is {now} afterwards"


@_rule("I15 nothing of a patient leaves the documents")
def silent(evidence: Evidence) -> Iterator[str]:
    for name, text in evidence.logs.items():
        found = leaks(text)
        if found:
            yield f"{name} holds {len(found)} pieces of patients' data"


def main(folder: str) -> int:
    """Judge a folder; the exit code is 1 when a promise was not kept."""
    evidence = Evidence.of(Path(folder))
    found = violations(evidence)
    for one in found:
        sys.stdout.write(f"{one}\n")
    sys.stdout.write(f"{summary(evidence, found)}\n")
    return 1 if found else 0


def summary(evidence: Evidence, found: list[Violation]) -> str:
    """Tell in one line what a run was."""
    posts = Counter(row["outcome"] for row in _of(evidence, "post"))
    again = len(_of(evidence, "arrived")) - len({row["delivery_id"] for row in _of(evidence, "arrived")})
    ended_now = Counter(row["state"] for row in evidence.deliveries)
    lost = sum(one.rule.startswith("I1 ") for one in found)
    return (
        f"{posts[OK]} accepted, {posts['unknown']} unknown, {len(evidence.messages)} kept, {lost} lost, "
        f"{again} handed over again, {dict(ended_now)}, {len(found)} promises broken"
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
