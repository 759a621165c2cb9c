"""F11, F12: many at once do the same: the same document fifty times, eight collectors at one mailbox."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from uuid import uuid4

from faults.evidence import OK, Evidence
from faults.storm import Conditions, Storm, weather
from faults.traffic import document

from messaging.settings import Settings

TIMES = 50
OTHERS = 5


async def test_f11_one_msg_id_fifty_times_at_once_is_one_message(
    settings: Settings, folder: Path, draw: random.Random
) -> None:
    answers: list[Counter[str | None]] = []

    async def repeat(storm: Storm) -> None:
        sender = storm.senders[0]
        while not storm.over.is_set():
            content, other = document(msg_id := str(uuid4())), document(msg_id, padding=1)
            posts = [sender.send(one, msg_id) for one in [content] * TIMES + [other] * OTHERS]
            draw.shuffle(posts)
            answers.append(Counter(await asyncio.gather(*posts)))
            storm.struck()

    instances = 1 if settings.database_url.startswith("sqlite") else 2
    found, storm = await weather(settings, folder, draw, repeat, Conditions(instances=instances, least=2))
    assert found == []
    assert storm.strikes >= 2
    assert storm.senders[0].answers[409] >= OTHERS * 2
    for told in answers:
        kept = {message_id for message_id in told if message_id is not None}
        assert len(kept) == 1
        assert told[None] in (OTHERS, TIMES), "either of the two was first, and the other was refused every time"


async def test_f12_eight_collectors_of_one_mailbox_of_which_some_never_confirm_lose_nothing(
    settings: Settings, folder: Path, draw: random.Random
) -> None:
    async def watch(storm: Storm) -> None:
        await storm.over.wait()

    instances = 1 if settings.database_url.startswith("sqlite") else 2
    terms = Conditions(instances=instances, collectors=8, forgets=(0, 0.3, 0.6, 1), least=0)
    found, storm = await weather(settings, folder, draw, watch, terms)
    assert found == []
    reads = [row for row in Evidence.of(folder).operations if row["op"] == "read" and row["outcome"] == OK]
    readers = Counter(message_id for message_id, _ in {(row["message_id"], row["client"]) for row in reads})
    assert max(readers.values()) > 1, "collectors were at the same messages"
    assert sum(len(one.accepted) for one in storm.senders) > 0
