"""Trial messages, on both databases: marked as such, in the operators' own name, and answered like any other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from messaging.errors import Forbidden, InvalidRequest, NotFound, Refused
from messaging.flow import acknowledge, collect, configure, inspect, trying_out
from messaging.flow.acknowledge import Answer
from messaging.flow.configure import Configuration
from messaging.model.receipt import ReceiptStatus
from messaging.settings import Settings
from world import SetClock, World, world

WARD, MUNICIPALITY, NURSING = 8100001, 8110000, 8110001


@pytest.fixture
async def trying(settings: Settings, clock: SetClock) -> AsyncIterator[World]:
    """An exchange whose operators send trial messages from a party of their own."""
    async with world(settings.model_copy(update={"trial_sender_her_id": WARD}), clock) as opened:
        yield opened


async def test_a_trial_message_is_marked_noted_and_answered_like_any_other(trying: World) -> None:
    exchange, operator, kommune = trying.exchange, trying.clients["operator"], trying.clients["kommune"]
    message_id = await trying_out.try_out(exchange, operator, NURSING, note="ny linje", door="test")
    row = (await collect.message(exchange, operator, message_id, door="test")).message
    assert (row["processing_status"], row["sender_her_id"], row["warnings"]) == ("D", WARD, [])
    document = (await collect.document(exchange, kommune, message_id, door="test")).decode()
    for words in ('ProcessingStatus V="D"', "TESTMELDING", "gjelder ingen pasient"):
        assert words in document
    await acknowledge.acknowledge(exchange, kommune, message_id, Answer(NURSING, ReceiptStatus.OK), door="test")
    story = await inspect.story(exchange, operator, message_id)
    assert story.deliveries[0]["state"] == "acknowledged"
    (line,) = [line for line in story.timeline if line["event"] == "trial.sent"]
    assert (line["actor"], line["detail"]) == (operator.id, {"sender": WARD, "note": "ny linje"})


async def test_without_a_party_to_send_from_nothing_is_sent_and_the_setting_is_named(running: World) -> None:
    with pytest.raises(InvalidRequest, match="SAMHANDLING_TRIAL_SENDER_HER_ID"):
        await trying_out.try_out(running.exchange, running.clients["operator"], NURSING, note="-", door="test")


async def test_only_who_operates_tries_and_only_parties_that_take_messages(trying: World) -> None:
    exchange, operator = trying.exchange, trying.clients["operator"]
    with pytest.raises(Forbidden):
        await trying_out.try_out(exchange, trying.clients["sykehus"], NURSING, note="-", door="test")
    with pytest.raises(NotFound):
        await trying_out.try_out(exchange, operator, 1, note="-", door="test")
    with pytest.raises(InvalidRequest, match="level 2"):
        await trying_out.try_out(exchange, operator, MUNICIPALITY, note="-", door="test")
    refusing = Configuration(NURSING, refused_types=frozenset({"DIALOG_HELSEFAGLIG"}))
    await configure.configure(exchange, trying.clients["kommune"], [refusing])
    with pytest.raises(Refused):
        await trying_out.try_out(exchange, operator, NURSING, note="-", door="test")
