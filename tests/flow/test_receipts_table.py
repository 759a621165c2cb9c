"""The national table of AppRecs (HITS 1168, HIS 80415), its 42 situations row by row, on every road.

What a receiver's own system does by hand (14, 15, 23, 25 to 27, 29 to 31) shows here as what the exchange carries.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from roads import GP, NURSING, OWNERS, WARD, AppRec, Road, road

import fixtures
from messaging.errors import InvalidRequest
from messaging.flow import collect, inspect, receive, watch
from messaging.flow.receive import Announced, Handed
from messaging.model.message import Address
from messaging.model.receipt import ReceiptError
from messaging.settings import Settings
from messaging.store.messages import Search
from world import UNHURRIED, Databases, SetClock, World


def document(name: str) -> bytes:
    return fixtures.read(f"valid/{name}.xml")


ADMITTED = document("plo/1.6/log_innlagt_n")
REPORT = document("plo/1.6/utskrivningsrapport_n")
REPORT_1_5 = document("plo/1.5/utskrivningsrapport_n")
REFERRAL_1_0 = document("henvisning/1.0/henvisning_n")
DISCHARGE_LETTER = document("epikrise/1.2/epikrise_n")
DEATH = document("plo/1.6/log_dod_n")
UNKNOWN, ELSEWHERE = b"8119999", b"7000000"


def edited(content: bytes, *changes: tuple[bytes | str, bytes | str]) -> bytes:
    for before, after in changes:
        old, new = (one.encode() if isinstance(one, str) else one for one in (before, after))
        assert old in content, old
        content = content.replace(old, new)
    return content


def without(content: bytes, *patterns: str) -> bytes:
    for pattern in patterns:
        content, times = re.subn(pattern.encode(), b"", content, flags=re.DOTALL)
        assert times == 1, pattern
    return content


def without_her_id(content: bytes, her_id: str) -> bytes:
    """Leave an identifier of another kind where a HER-id stood."""
    changed, times = re.subn(rf'(<Id>{her_id}</Id>\s*<TypeId V=)"HER"'.encode(), rb'\1"RSH"', content)
    assert times == 1
    return changed


PATIENT_ID = r"<Ident>\s*<Id>05073500186</Id>.*?</Ident>"
SIGNER = """<HealthcareProfessional><FamilyName>Jones</FamilyName><GivenName>May</GivenName><Ident><Id>9144919</Id>
<TypeId V="HPR" S="2.16.578.1.12.4.1.1.8116" DN="HPR-nummer"/></Ident></HealthcareProfessional>
      </Organisation>
    </Sender>"""


@pytest.fixture(
    params=[("json", "postgresql"), ("xml", "sqlite"), ("file_drop", "sqlite")],
    ids="-".join,
)
async def way(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path, clock: SetClock
) -> AsyncIterator[Road]:
    kind, database = request.param
    url = await getattr(databases, database)()
    settings = Settings(database_url=url, key_file=tmp_path / "key", **UNHURRIED)
    (tmp_path / "folders").mkdir()
    async with road(kind, settings, clock, tmp_path / "folders") as opened:
        yield opened
    await databases.drop(url)


def addressed(way: Road, content: bytes) -> tuple[Address, dict[int, Address]]:
    envelope = way.exchange.validator.judge(content).envelope
    assert envelope is not None
    return envelope.sender, {one.address.her_id or 0: one.address for one in envelope.receivers}


def told(receipts: list[AppRec]) -> list[tuple[str, str, list[str]]]:
    return [(one.role, one.status, one.codes) for one in receipts]


async def accepted(way: Road, content: bytes) -> None:
    assert await way.send(content, sender_of(way, content)) == []


def sender_of(way: Road, content: bytes) -> int:
    return addressed(way, content)[0].her_id or 0


@dataclass(frozen=True)
class Ok:
    """A row in which a message is taken in and answered with 1."""

    number: str
    situation: str
    content: bytes
    answers: tuple[int, ...]
    roles: tuple[str, ...]
    version: str = "1.1"

    def __str__(self) -> str:
        return f"{self.number} {self.situation}"


OK = [
    Ok("1", "message ok - to a service", ADMITTED, (NURSING,), ("PRIM",)),
    Ok("2", "message ok - to a person", DEATH, (GP,), ("PRIM",)),
    Ok("3", "message ok - Epikrise without MsgHead", DISCHARGE_LETTER, (GP,), ("PRIM",)),
    Ok("4", "message ok - Henvisning 1.1", document("henvisning/1.1/henvisning_n"), (8100003,), ("PRIM",)),
    Ok("5", "message ok - Henvisning 2.0", document("henvisning/2.0/henvisning_nytilstand_n"), (8100003,), ("PRIM",)),
    Ok(
        "6",
        "message ok - somebody signs for the service",
        edited(ADMITTED, ("</Organisation>\n      </Organisation>\n    </Sender>", f"</Organisation>{SIGNER}")),
        (NURSING,),
        ("PRIM",),
    ),
    Ok("7", "ok, only PRIM is ours", REPORT, (NURSING,), ("PRIM",)),
    Ok("8", "ok, only REQ is ours", REPORT_1_5, (NURSING,), ("REQ",), "1.0"),
    Ok("9", "ok, only SPR is ours", REFERRAL_1_0, (8100003,), ("SPR",), "1.0"),
    Ok("10", "ok, only COP is ours", REPORT, (GP,), ("COP",)),
    Ok("10", "ok, only COP is ours - AppRec 1.0", REPORT_1_5, (GP,), ("COP",), "1.0"),
]


@pytest.mark.parametrize("row", OK, ids=str)
async def test_a_message_that_is_ok_is_answered_with_1_by_whoever_it_is_for(way: Road, row: Ok) -> None:
    await accepted(way, row.content)
    for her_id in row.answers:
        await way.answer(row.content, her_id)
    receipts = await way.receipts()
    assert told(receipts) == [(role, "1", []) for role in row.roles]
    sender, receivers = addressed(way, row.content)
    envelope = way.exchange.validator.judge(row.content).envelope
    assert envelope is not None
    for receipt, her_id in zip(receipts, row.answers, strict=True):
        assert receipt.version == row.version
        assert receipt.original == (envelope.type, envelope.gen_date, envelope.msg_id)
        answering = receivers[her_id]
        assert set(receipt.sender) == {str(answering.her_id), str(answering.parent_her_id)}
        assert set(receipt.receiver) == {str(sender.her_id), str(sender.parent_her_id)}
        assert receipt.receiver_role == ("AVS" if row.version == "1.1" else "RECEIVER")
        assert "May Jones" not in receipt.persons


async def test_11_prim_and_cop_are_both_ours_two_for_the_first_copy_and_none_for_the_second(way: Road) -> None:
    await accepted(way, REPORT)
    await way.answer(REPORT, NURSING)
    await way.answer(REPORT, GP)
    await accepted(way, REPORT)
    assert told(await way.receipts()) == [("PRIM", "1", []), ("COP", "1", [])]


async def test_12_the_same_msg_id_again_1_for_the_first_and_nothing_for_the_second(way: Road) -> None:
    await accepted(way, ADMITTED)
    await accepted(way, ADMITTED)
    await way.answer(ADMITTED, NURSING)
    assert told(await way.receipts()) == [("PRIM", "1", [])]


async def test_13_the_sender_gets_two_for_one_message_the_later_one_is_ignored(way: Road) -> None:
    await accepted(way, ADMITTED)
    await way.answer(ADMITTED, NURSING)
    await way.answer(ADMITTED, NURSING, [ReceiptError("X99", details="For sent.")])
    assert told(await way.receipts()) == [("PRIM", "1", [])]


@pytest.mark.parametrize("situation", ["14 matched by hand within 96 h", "15 positive before the 96 h run out"])
async def test_a_receipt_by_hand_within_96_hours_is_no_alarm(way: Road, situation: str) -> None:
    assert situation
    content = written_now(way, ADMITTED)
    await accepted(way, content)
    way.world.clock.forward(hours=95)
    await watch.sweep(way.exchange)
    assert await overdue(way) == []
    await way.answer(content, NURSING)
    way.world.clock.forward(hours=2)
    await watch.sweep(way.exchange)
    assert await overdue(way) == []
    assert told(await way.receipts()) == [("PRIM", "1", [])]


def written_now(way: Road, content: bytes) -> bytes:
    """Give a document the present as its GenDate, from which the 96 hours count."""
    envelope = way.exchange.validator.judge(content).envelope
    assert envelope is not None
    return edited(content, (f"<GenDate>{envelope.gen_date}", f"<GenDate>{way.world.clock().isoformat()}"))


async def overdue(way: Road) -> list[str]:
    wanted = Search(overdue_at=way.exchange.clock())
    rows = await inspect.search(way.exchange, way.world.clients["operator"], wanted)
    return [row["msg_id"] for row in rows]


@dataclass(frozen=True)
class Refused:
    """A row in which the exchange refuses a document: the codes of the refusal, and the AppRecs as (role, codes)."""

    number: str
    situation: str
    content: bytes
    codes: list[str]
    receipts: list[tuple[str, list[str]]]
    version: str = "1.1"
    sender: int = WARD

    def __str__(self) -> str:
        return f"{self.number} {self.situation}"


REFUSED = [
    Refused("16", "cannot be parsed", fixtures.read("invalid/T01/cut_off.xml"), ["T01"], []),
    Refused("17", "HER-id missing at level 1", without_her_id(ADMITTED, "8110000"), ["E21"], [("PRIM", ["E21"])]),
    Refused(
        "18",
        "HER-id missing at level 2",
        without_her_id(ADMITTED, "8110001"),
        ["E21", "E21"],
        [("PRIM", ["E21", "E21"])],
    ),
    Refused(
        "19",
        "level 1 known, level 2 person unknown",
        edited(DEATH, ("8120001", UNKNOWN)),
        ["E21"],
        [("PRIM", ["E21"])],
        sender=NURSING,
    ),
    Refused(
        "20",
        "level 1 known, level 2 service unknown",
        edited(ADMITTED, ("8110001", UNKNOWN)),
        ["E21"],
        [("PRIM", ["E21"])],
    ),
    Refused("21", "both levels unknown", edited(ADMITTED, ("8110001", UNKNOWN), ("8110000", ELSEWHERE)), ["E21"], []),
    Refused(
        "24",
        "patient insufficiently identified",
        without(ADMITTED, PATIENT_ID, "<DateOfBirth>1935-07-05</DateOfBirth>"),
        ["E36"],
        [("PRIM", ["E36"])],
    ),
    Refused(
        "26",
        "several errors",
        fixtures.read("invalid/T02/several_faults.xml"),
        ["T02", "T02", "T02", "T02"],
        [("PRIM", ["T02", "T02", "T02", "T02"]), ("COP", ["T02", "T02", "T02", "T02"])],
    ),
    Refused(
        "28",
        "MsgId invalid",
        edited(ADMITTED, ("f2e28209-c1ef-5f9e-bca8-e3db824d553c", "2025-1")),
        ["E10"],
        [("PRIM", ["E10"])],
    ),
    Refused("32", "does not validate", fixtures.read("invalid/T02/event_missing.xml"), ["T02"], [("PRIM", ["T02"])]),
    Refused(
        "33",
        "unknown schema",
        fixtures.read("invalid/T10/payload_namespace_unknown.xml"),
        ["T10"],
        [("PRIM", ["T10"])],
    ),
    Refused("34", "not well-formed", fixtures.read("invalid/T01/end_tag_missing.xml"), ["T01"], []),
    Refused("35", "PRIM of ours is unknown", edited(ADMITTED, ("8110001", UNKNOWN)), ["E21"], [("PRIM", ["E21"])]),
    Refused(
        "36",
        "REQ of ours is unknown",
        edited(document("plo/1.5/log_innlagt_n"), ("8110001", UNKNOWN)),
        ["E21"],
        [("REQ", ["E21"])],
        "1.0",
    ),
    Refused(
        "37",
        "SPR of ours is unknown",
        edited(REFERRAL_1_0, ("8100003", "8109999")),
        ["E21"],
        [("SPR", ["E21"]), ("COP", ["E21"])],
        "1.0",
        GP,
    ),
    Refused(
        "38",
        "COP of ours is unknown",
        edited(REPORT, ("8120001", "8129999")),
        ["E21"],
        [("PRIM", ["E21"]), ("COP", ["E21"])],
    ),
    Refused(
        "39",
        "COP of ours is unknown, AppRec 1.0",
        edited(REPORT_1_5, ("8120001", "8129999")),
        ["E21"],
        [("REQ", ["E21"]), ("COP", ["E21"])],
        "1.0",
    ),
    Refused(
        "40",
        "both are unknown",
        edited(REPORT, ("8110001", UNKNOWN), ("8120001", "8129999")),
        ["E21", "E21"],
        [("PRIM", ["E21", "E21"]), ("COP", ["E21", "E21"])],
    ),
]


@pytest.mark.parametrize("row", REFUSED, ids=str)
async def test_a_document_that_is_refused_is_answered_with_2_where_its_sender_can_be_read(
    way: Road, row: Refused
) -> None:
    assert await way.send(row.content, row.sender) == row.codes
    receipts = await way.receipts()
    assert told(receipts) == [(role, "2", codes) for role, codes in row.receipts]
    for receipt in receipts:
        assert receipt.version == row.version
        assert str(row.sender) in receipt.receiver
        assert all(text for _, text in receipt.errors), "every error has words for the sender's user"
    assert await way.send(row.content, row.sender) == row.codes
    assert await way.receipts() == receipts, "41: nothing for the second"
    found = await inspect.search(way.exchange, way.world.clients["operator"], Search())
    assert found == [], "what is refused is not taken in"


async def test_22_envelope_and_message_are_addressed_to_different_organisations(running: World) -> None:
    said = Announced(WARD, frozenset({GP}))
    with pytest.raises(InvalidRequest, match="does not agree with the document"):
        await receive.receive(running.exchange, running.clients["sykehus"], Handed(ADMITTED, "edi-v3", announced=said))
    assert await inspect.refused(running.exchange, running.clients["operator"]) == [], "and so there is no AppRec"


@dataclass(frozen=True)
class ByHand:
    """A row in which somebody at the receiver rejects a message that the exchange has nothing to say against."""

    number: str
    situation: str
    content: bytes
    errors: tuple[ReceiptError, ...]
    after_hours: int = 0

    def __str__(self) -> str:
        return f"{self.number} {self.situation}"


BY_HAND = [
    ByHand("23", "patient not in the system", DISCHARGE_LETTER, (ReceiptError("E35", "Pasienten finnes ikke"),)),
    ByHand("25", "rejected by hand", ADMITTED, (ReceiptError("X99", details="Feil avdeling: ring 75 58 98 89"),)),
    ByHand(
        "26",
        "several errors by hand",
        ADMITTED,
        (
            ReceiptError("E30", details="Mangler"),
            ReceiptError("E32", details="Navn?"),
            ReceiptError("X99", details="<&>"),
        ),
    ),
    ByHand("27", "rejected within 96 h", ADMITTED, (ReceiptError("E36", details="Flere med samme navn"),), 95),
    ByHand("29", "personal signature wrong", ADMITTED, (ReceiptError("S01", details="Signaturen er feil"),)),
    ByHand("30", "certificate invalid", ADMITTED, (ReceiptError("S02", details="Sertifikatet er ugyldig"),)),
    ByHand("31", "certificate revoked", ADMITTED, (ReceiptError("S03", details="Sertifikatet er trukket"),)),
]


@pytest.mark.parametrize("row", BY_HAND, ids=str)
async def test_a_rejection_by_hand_arrives_with_every_error_as_it_was_written(way: Road, row: ByHand) -> None:
    content = written_now(way, row.content) if row.after_hours else row.content
    await accepted(way, content)
    way.world.clock.forward(hours=row.after_hours)
    receiver = GP if content is DISCHARGE_LETTER else NURSING
    await way.answer(content, receiver, row.errors)
    assert told(await way.receipts()) == [("PRIM", "2", [error.code for error in row.errors])]
    ((receipt),) = await way.receipts()
    assert [text for _, text in receipt.errors] == [error.details for error in row.errors]


async def test_41_a_duplicate_of_a_rejected_message_gets_nothing(way: Road) -> None:
    await accepted(way, ADMITTED)
    await way.answer(ADMITTED, NURSING, [ReceiptError("E36", details="Hvem?")])
    await accepted(way, ADMITTED)
    assert told(await way.receipts()) == [("PRIM", "2", ["E36"])]


async def test_42_no_apprec_within_96_hours_from_gen_date_and_a_later_one_still_settles_it(way: Road) -> None:
    content = written_now(way, ADMITTED)
    await accepted(way, content)
    way.world.clock.forward(hours=96, seconds=1)
    await watch.sweep(way.exchange)
    await watch.sweep(way.exchange)
    assert await notices(way, WARD) == ["No AppRec came within the time that the standard allows."]
    assert await overdue(way) == [way_msg_id(way, content)]
    await way.answer(content, NURSING)
    assert told(await way.receipts()) == [("PRIM", "1", [])]
    assert await overdue(way) == []


def way_msg_id(way: Road, content: bytes) -> str:
    envelope = way.exchange.validator.judge(content).envelope
    assert envelope is not None
    return envelope.msg_id


async def notices(way: Road, her_id: int) -> list[str]:
    rows: list[dict[str, Any]] = await collect.unread(
        way.exchange, way.world.clients[OWNERS[her_id]], [her_id], limit=100
    )
    return [row["description"] for row in rows if row["description"]]


async def test_no_apprec_answers_an_apprec_that_is_refused(way: Road) -> None:
    assert await way.send(fixtures.read("invalid/T02/receipt_without_original.xml"), NURSING) == ["T02"]
    assert await way.receipts() == []
