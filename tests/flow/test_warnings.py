"""Warnings stop nothing: they go back to the sender, stand with the message, and are the same when it is sent again."""

from __future__ import annotations

from dataclasses import replace

import fixtures
from messaging.flow import inspect, receive
from messaging.flow.receive import Handed, Taken
from messaging.model.audit import AuditEvent
from messaging.model.rules import RuleLine, RuleName, RulePolicy, Severity
from world import World

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
EMPTY_ELEMENT = ADMITTED.replace("<StreetAdr>Åssiden 32</StreetAdr>".encode(), b"<StreetAdr></StreetAdr>", 1)


async def send(running: World, content: bytes) -> Taken:
    return await receive.receive(running.exchange, running.clients["sykehus"], Handed(content, "test"))


def codes(taken: Taken) -> set[str]:
    return {warning["code"] for warning in taken.warnings}


async def test_a_message_with_a_warning_is_taken_in_and_its_sender_is_told_where(running: World) -> None:
    assert EMPTY_ELEMENT != ADMITTED
    taken = await send(running, EMPTY_ELEMENT)
    assert RuleName.EMPTY_ELEMENTS in codes(taken)
    (warning,) = [one for one in taken.warnings if one["code"] == RuleName.EMPTY_ELEMENTS]
    line = 1 + EMPTY_ELEMENT[: EMPTY_ELEMENT.index(b"<StreetAdr></StreetAdr>")].count(b"\n")
    assert (warning["line"], warning["text"] != "", "StreetAdr" in warning["path"]) == (line, True, True)


async def test_warnings_stand_with_the_message_and_their_codes_in_its_timeline(running: World) -> None:
    taken = await send(running, EMPTY_ELEMENT)
    story = await inspect.story(running.exchange, running.clients["sykehus"], taken.message_id)
    assert story.message["warnings"] == list(taken.warnings)
    (received,) = [line for line in story.timeline if line["event"] == AuditEvent.MESSAGE_RECEIVED]
    assert received["detail"]["warnings"] == sorted(codes(taken))


async def test_the_same_message_again_is_answered_with_the_same_warnings_although_the_rules_have_changed(
    running: World,
) -> None:
    first = await send(running, EMPTY_ELEMENT)
    policy = RulePolicy((RuleLine(RuleName.EMPTY_ELEMENTS, Severity.OFF),))
    milder = replace(
        running.exchange,
        validator=type(running.exchange.validator)(running.exchange.validator.catalogue, policy=policy),
    )
    assert milder.validator.judge(EMPTY_ELEMENT).warnings == ()
    again = await send(replace(running, exchange=milder), EMPTY_ELEMENT)
    assert (again.replayed, again.message_id, again.warnings) == (True, first.message_id, first.warnings)


async def test_a_message_without_a_warning_says_nothing_of_warnings(running: World) -> None:
    running.clock.now = running.clock.now.replace(year=2025, month=3, day=3)
    taken = await send(running, ADMITTED)
    story = await inspect.story(running.exchange, running.clients["sykehus"], taken.message_id)
    assert (taken.warnings, story.message["warnings"]) == ((), [])
    assert "warnings" not in story.timeline[0]["detail"]
