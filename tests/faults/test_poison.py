"""F16: a few documents make the validator, the explainer or the adapter crash or hang; all others notice nothing."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

from faults.evidence import Evidence, Row
from faults.poisoned import Poison
from faults.processes import House, Instance
from faults.storm import Conditions, Storm, weather
from faults.traffic import document, sha256

import fixtures
from messaging.settings import Settings

POISONED = str(Path(__file__).with_name("poisoned.py"))
XML = {"Content-Type": "application/xml"}
GIVES_UP_AFTER = 3
WRONG = fixtures.read("invalid/T02/event_missing.xml")


async def poisoned(served: House) -> None:
    await served.instance(program=(sys.executable, POISONED, "serve")).start()


async def test_f16_poison_is_given_up_in_sight_of_an_operator_and_all_else_comes_through(
    settings: Settings, folder: Path, draw: random.Random
) -> None:
    given: dict[str, Poison] = {}
    answers: list[int] = []

    async def give_poison(storm: Storm) -> None:
        sender = storm.senders[0]
        while not storm.over.is_set():
            for kind in Poison:
                content, start = document(msg_id := kind.msg_id()), time.time()
                answer = await sender.ask("POST", "/documents", content=content, headers=XML)
                assert answer is not None, "the process lives"
                if kind is Poison.VALIDATOR_RAISES:
                    answers.append(answer.status_code)
                    continue
                assert answer.status_code == 202
                told = {"sender": sender.sender, "msg_id": msg_id, "sha256": sha256(content)}
                sender.history.write("post", start, "ok", **told, message_id=answer.json()["id"])
                given[answer.json()["id"]] = kind
                storm.struck()
            await asyncio.sleep(draw.uniform(0.3, 0.8))

    terms = Conditions(
        start=poisoned, pushed=True, bad=0, least=6, terms={"retry_give_up_after": GIVES_UP_AFTER, "lease_seconds": 1}
    )
    found, storm = await weather(settings, folder, draw, give_poison, terms)
    assert found == []
    assert set(answers) == {500}
    assert storm.strikes >= 6
    accepted = {message_id for one in storm.senders for message_id in one.accepted.values()}
    deliveries = {row["message_id"]: row for row in Evidence.of(folder).deliveries}
    assert {_end(deliveries[one]) for one in given} == {("failed", "operator", GIVES_UP_AFTER)}
    assert {deliveries[one]["state"] for one in accepted} <= {"acknowledged", "rejected"}
    assert accepted


def _end(delivery: Row) -> tuple[str, str, int]:
    return delivery["state"], delivery["owner"], delivery["attempts"]


def parent(process: Path) -> int:
    return int((process / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[1])


def explainers(instance: Instance) -> list[int]:
    """Find the processes in which documents are explained."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes() if folder.name.isdigit() else b""
            if b"documents.explaining" in words and parent(folder) == instance.pid:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


async def test_f16_an_explainer_that_dies_or_hangs_costs_words_and_nothing_else(
    settings: Settings, folder: Path, draw: random.Random
) -> None:
    async def strike(storm: Storm) -> None:
        (instance,), sender = storm.house.instances, storm.senders[0]
        while not storm.over.is_set():
            for number in (signal.SIGKILL, signal.SIGSTOP):
                asking = asyncio.create_task(sender.ask("POST", "/validate", content=WRONG, headers=XML))
                for pid in explainers(instance):
                    os.kill(pid, number)
                    storm.struck()
                answer = await asking
                assert answer is not None
                assert answer.status_code == 200
                assert answer.json()["verdict"] == "rejected"
                assert answer.json()["faults"]

    found, storm = await weather(settings, folder, draw, strike, Conditions(least=4))
    assert found == []
    assert storm.strikes >= 4
    assert sum(len(one.accepted) for one in storm.senders) > 0
