"""Alarms on both databases: raised once for a cause, told by e-mail and webhook, taken on, over, and tried again."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from http_receiver import Receiver, answer, receiving
from mail_server import MailServer, mail_server
from pydantic import SecretStr
from standardwebhooks import Webhook as Library

import fixtures
from messaging.alarm_settings import MailSetting, WebhookSetting
from messaging.errors import Forbidden, InvalidRequest, NotFound
from messaging.flow import alarming, alarms, collect, organisations, watch
from messaging.flow.channels import Mail, NotTold, Told
from messaging.flow.handed import Handed
from messaging.flow.overview import Kind
from messaging.flow.receive import receive
from messaging.model.access import Role
from messaging.model.alarm import Alarm, AlarmRule, Quiet, Telling
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import alarms as kept
from messaging.store.organisations import Contact
from world import SetClock, World, world

NURSING, WARD = 8110001, 8100001
DISCHARGED = "valid/plo/1.6/log_utskrevet_n.xml"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
WATCH, PAGER = "vakt@sentralen.example", "pager"
LINK = "https://exchange.example/console/alarms"


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with mail_server() as running:
        yield running


@pytest.fixture
async def pager() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
async def alarmed(settings: Settings, clock: SetClock, mail: MailServer, pager: Receiver) -> AsyncIterator[World]:
    """An exchange that tells by a mail server and a webhook, and has one rule: what lies uncollected."""
    told = {
        "mail": MailSetting(host="127.0.0.1", port=mail.port, sender="sentral@sentralen.example", security="none"),
        "alarm_mail_to": (WATCH,),
        "alarm_webhooks": {
            PAGER: WebhookSetting(url=pager.url.replace("{receiver}", "1"), secret=SecretStr(SECRET)),
            "kommune": WebhookSetting(
                url=pager.url.replace("{receiver}", "2"), secret=SecretStr(SECRET), her_id=NURSING
            ),
        },
        "calls_allowed": ("127.0.0.0/8",),
        "public_url": "https://exchange.example",
    }
    async with world(Settings.model_validate({**settings.model_dump(exclude_unset=True), **told}), clock) as opened:
        async with opened.exchange.database.write(EVERYTHING) as tx:
            for rule in await kept.rules(tx.reader):
                await kept.remove(tx, rule.id)
            await kept.keep(tx, RULE)
        yield opened


RULE = AlarmRule(UUID(int=7), None, Kind.UNCOLLECTED, webhook=PAGER, again=timedelta(hours=24))


async def lies_uncollected(at: World) -> UUID:
    """Let a message lie in a mailbox for longer than it should."""
    document = fixtures.read(DISCHARGED)
    for field, value in (("MsgId", str(uuid4())), ("GenDate", at.clock().isoformat())):
        document = re.sub(rf"(<{field}>)[^<]+".encode(), rf"\g<1>{value}".encode(), document, count=1)
    taken = await receive(at.exchange, at.clients["sykehus"], Handed(document, "documents"))
    forward(at, hours=25)
    await watch.sweep(at.exchange)
    forward(at, seconds=1)
    return taken.message_id


def forward(at: World, **by: float) -> None:
    at.clock.forward(**by)


async def collected(at: World, message_id: UUID) -> None:
    await collect.mark_downloaded(at.exchange, at.clients["kommune"], message_id, NURSING)


async def look_and_tell(at: World) -> None:
    await alarming.look(at.exchange)
    while await alarming.tell(at.exchange):
        pass


async def every(at: World) -> list[Alarm]:
    async with at.exchange.database.read(EVERYTHING) as tx:
        return [*await kept.still_open(tx), *await kept.over(tx, limit=100, before=None, her_ids=None)]


async def tellings(at: World) -> list[Telling]:
    return [one for alarm in await every(at) for one in alarm.tellings]


async def change(at: World, **columns: Any) -> None:
    async with at.exchange.database.write(EVERYTHING) as tx:
        await kept.keep(tx, replace(RULE, **columns))


async def test_a_cause_is_told_once_by_mail_and_webhook_with_how_much_since_when_and_where_to_look(
    alarmed: World, mail: MailServer, pager: Receiver
) -> None:
    await lies_uncollected(alarmed)
    for _ in range(3):
        await look_and_tell(alarmed)
        forward(alarmed, minutes=1)
    ((to, message),) = mail.sent
    assert (to, message["From"], message["Auto-Submitted"]) == ([WATCH], "sentral@sentralen.example", "auto-generated")
    assert message["Subject"].strip() == "Samhandling, hele sentralen: meldinger ligger uhentet i postkassen (1)"
    for words in (
        "The whole exchange: messages lie uncollected in a mailbox (1).",
        "Den eldste er fra 09.03.2026 13:00",
        LINK,
    ):
        assert words in message.get_content()
    (posted,) = pager.requests
    stamp = datetime.fromtimestamp(int(posted.headers["webhook-timestamp"]), UTC)
    signature = Library(SECRET).sign(posted.headers["webhook-id"], stamp, posted.body.decode())
    assert posted.headers["webhook-signature"] == signature
    told = json.loads(posted.body)
    assert told["type"] == "alarm.raised"
    assert (told["data"]["kind"], told["data"]["count"], told["data"]["herId"]) == ("uncollected", 1, None)
    (alarm,) = await every(alarmed)
    assert {(one.way, one.target, one.error) for one in alarm.tellings} == {("mail", WATCH, ""), ("webhook", PAGER, "")}


async def test_it_is_told_again_after_the_window_unless_somebody_has_taken_it_on(
    alarmed: World, mail: MailServer
) -> None:
    await lies_uncollected(alarmed)
    await look_and_tell(alarmed)
    forward(alarmed, hours=24)
    await look_and_tell(alarmed)
    assert ["fortsatt" in message["Subject"] for _, message in mail.sent] == [False, True]
    (alarm,) = await every(alarmed)
    await alarms.acknowledge(alarmed.exchange, alarmed.clients["operator"], alarm.id, note="ringer dem")
    await alarms.acknowledge(alarmed.exchange, alarmed.clients["operator"], alarm.id, note="en gang til")
    forward(alarmed, hours=48)
    await look_and_tell(alarmed)
    assert len(mail.sent) == 2
    (alarm,) = await every(alarmed)
    assert (alarm.note, alarm.acknowledged_by) == ("ringer dem", alarmed.clients["operator"].id)


async def test_when_the_cause_is_over_those_are_told_who_were_told_of_it_and_nobody_of_what_returns_at_once(
    alarmed: World, mail: MailServer
) -> None:
    await change(alarmed, again=timedelta(days=7))
    message_id = await lies_uncollected(alarmed)
    await look_and_tell(alarmed)
    await collected(alarmed, message_id)
    await look_and_tell(alarmed)
    assert [message["Subject"].split(": ")[1] for _, message in mail.sent][1:] == ["over"]
    (alarm,) = await every(alarmed)
    assert alarm.cleared_at is not None
    with pytest.raises(InvalidRequest):
        await alarms.acknowledge(alarmed.exchange, alarmed.clients["operator"], alarm.id, note="for sent")
    await lies_uncollected(alarmed)
    await look_and_tell(alarmed)
    (same,) = await every(alarmed)
    assert (same.id, same.cleared_at, len(mail.sent)) == (alarm.id, None, 2)
    forward(alarmed, days=7)
    await look_and_tell(alarmed)
    assert "fortsatt" in mail.sent[-1][1]["Subject"]


async def test_what_was_taken_on_and_comes_back_is_taken_on_by_nobody(alarmed: World, mail: MailServer) -> None:
    await change(alarmed, again=timedelta(days=7))
    message_id = await lies_uncollected(alarmed)
    await look_and_tell(alarmed)
    (alarm,) = await every(alarmed)
    await alarms.acknowledge(alarmed.exchange, alarmed.clients["operator"], alarm.id, note="ringer dem")
    await collected(alarmed, message_id)
    await alarming.look(alarmed.exchange)
    await lies_uncollected(alarmed)
    await alarming.look(alarmed.exchange)
    (same,) = await every(alarmed)
    assert (same.id, same.acknowledged_at) == (alarm.id, None)
    forward(alarmed, days=7)
    await look_and_tell(alarmed)
    assert "fortsatt" in mail.sent[-1][1]["Subject"]


async def test_two_that_look_at_once_tell_once(alarmed: World, mail: MailServer) -> None:
    await lies_uncollected(alarmed)
    await asyncio.gather(*(alarming.look(alarmed.exchange) for _ in range(4)))
    await asyncio.gather(*(alarming.tell(alarmed.exchange) for _ in range(4)))
    assert len(mail.sent) == 1
    forward(alarmed, hours=24)
    await asyncio.gather(*(alarming.look(alarmed.exchange) for _ in range(4)))
    await asyncio.gather(*(alarming.tell(alarmed.exchange) for _ in range(4)))
    assert len(mail.sent) == 2


async def test_in_quiet_hours_it_waits_and_what_is_over_by_then_is_never_told(alarmed: World, mail: MailServer) -> None:
    await change(alarmed, quiet=Quiet(time(12), time(18)), webhook="")
    message_id = await lies_uncollected(alarmed)  # 14:00 in Norway
    await look_and_tell(alarmed)
    assert mail.sent == []
    (waits,) = await tellings(alarmed)
    assert (waits.ended_at, waits.due_at.hour) == (None, 17)
    await collected(alarmed, message_id)
    await look_and_tell(alarmed)
    forward(alarmed, hours=5)
    await look_and_tell(alarmed)
    assert mail.sent == []
    (never,) = await tellings(alarmed)
    assert never.error == alarming.OVER_BEFORE


async def test_a_channel_that_fails_is_tried_again_told_why_and_given_up_in_sight(
    alarmed: World, mail: MailServer, pager: Receiver
) -> None:
    mail.refuses, pager.usual = "451 try later", answer(500)
    await lies_uncollected(alarmed)
    await look_and_tell(alarmed)
    assert {one.error for one in await tellings(alarmed)} == {"the mail server answered 451", "it answered 500"}
    mail.refuses = ""
    forward(alarmed, seconds=31)
    await alarming.tell(alarmed.exchange)
    assert len(mail.sent) == 1
    for _ in range(20):
        forward(alarmed, hours=1)
        await alarming.tell(alarmed.exchange)
    (lost,) = [one for one in await tellings(alarmed) if one.error]
    assert (lost.way, lost.attempts, lost.ended_at is not None) == ("webhook", 12, True)


async def test_a_mail_server_that_is_not_there_is_told_of_in_words(alarmed: World) -> None:
    told = Told(uuid4(), alarmed.clock(), "s", "t", {})
    with pytest.raises(NotTold, match="cannot be used: ConnectionRefusedError"):
        await Mail("127.0.0.1", 1, "a@b.example", security="none").tell(told, ["c@d.example"])
    async with mail_server() as plain:
        with pytest.raises(NotTold, match="SMTPNotSupportedError"):
            await Mail("127.0.0.1", plain.port, "a@b.example").tell(told, ["c@d.example"])


async def test_a_rule_about_a_party_sees_its_own_alone_and_tells_its_contact_persons(
    alarmed: World, mail: MailServer
) -> None:
    await change(alarmed, her_id=NURSING, webhook="")
    contact = Contact("Vakt", "", "vakt@kommune.example")
    nils = Client("person:nils", "Nils", Role.PARTY, frozenset({NURSING}))
    await organisations.set_contact(alarmed.exchange, nils, NURSING, contact)
    await lies_uncollected(alarmed)
    await look_and_tell(alarmed)
    ((to, message),) = mail.sent
    assert to == ["vakt@kommune.example"]
    assert "kommune, Sykepleietjenesten: meldinger" in message["Subject"]
    seen = await alarms.show(alarmed.exchange, nils)
    assert [one.her_id for one in seen.open] == [NURSING]
    other = Client("person:per", "Per", Role.PARTY, frozenset({WARD}))
    foreign = await alarms.show(alarmed.exchange, other)
    assert (foreign.open, foreign.rules) == ((), ())
    with pytest.raises(NotFound):
        await alarms.acknowledge(alarmed.exchange, other, seen.open[0].id, note="-")


async def test_rules_are_made_changed_tried_and_deleted_by_those_who_may_and_the_log_tells(
    alarmed: World, mail: MailServer
) -> None:
    exchange, operator = alarmed.exchange, alarmed.clients["operator"]
    own = AlarmRule(uuid4(), NURSING, Kind.GIVEN_UP, mail_to=("en@kommune.example", "to@kommune.example"))
    nils = Client("person:nils", "Nils", Role.PARTY, frozenset({NURSING}))
    await alarms.keep(exchange, nils, own)
    await alarms.try_out(exchange, nils, own.id)
    await alarming.tell(exchange)
    ((to, message),) = mail.sent
    assert (to, "prøve" in message["Subject"]) == (["en@kommune.example", "to@kommune.example"], True)
    with pytest.raises(Forbidden):
        await alarms.keep(exchange, nils, replace(own, id=uuid4(), her_id=None))
    with pytest.raises(NotFound):
        await alarms.keep(exchange, nils, replace(RULE, her_id=NURSING, webhook=""))
    with pytest.raises(NotFound):
        await alarms.remove(exchange, nils, RULE.id)
    await alarms.remove(exchange, operator, own.id)
    with pytest.raises(NotFound):
        await alarms.try_out(exchange, operator, own.id)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": Kind.UNSEALED, "her_id": NURSING},
        {"kind": "nothing"},
        {"after": timedelta(days=31)},
        {"again": timedelta(minutes=1)},
        {"at_least": 0},
        {"mail_to": ("no address",)},
        {"mail_to": ("a@b.example\r\nBcc: c@d.example",)},
        {"mail_to": tuple(f"{number}@b.example" for number in range(11))},
        {"webhook": "unknown"},
        {"her_id": 1},
    ],
    ids=str,
)
async def test_a_rule_that_cannot_be_used_is_refused_in_words(alarmed: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        await alarms.keep(alarmed.exchange, alarmed.clients["operator"], replace(RULE, **wrong))


async def test_a_party_names_its_own_webhook_and_no_other(alarmed: World) -> None:
    nils = Client("person:nils", "Nils", Role.PARTY, frozenset({NURSING}))
    own = AlarmRule(uuid4(), NURSING, Kind.GIVEN_UP, webhook="kommune")
    await alarms.keep(alarmed.exchange, nils, own)
    with pytest.raises(InvalidRequest, match="webhook"):
        await alarms.keep(alarmed.exchange, nils, replace(own, webhook=PAGER))


async def test_the_watch_raises_what_the_rules_from_the_start_ask_for(running: World) -> None:
    await lies_uncollected(running)
    await alarming.Alarming(running.exchange).step()
    assert {alarm.kind for alarm in await every(running)} >= {"uncollected"}
    assert await tellings(running) == []
