"""F20: few files, little memory, few connections to the database, and a crowd: some must wait, nothing breaks."""

from __future__ import annotations

import asyncio
import random
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from faults.evidence import UNKNOWN
from faults.processes import House, Instance
from faults.storm import Conditions, Storm, weather
from faults.traffic import document, outcome_of, sha256

from messaging.http import AsyncClient, HTTPError, Limits
from messaging.settings import Settings

STARVED = str(Path(__file__).with_name("starved.py"))
FILES = 128
MEMORY = 2_000
"""MiB of address space, of which threads and libraries take most without using it."""
CONNECTIONS = 1_000
LARGE, HOW_MANY = 20 << 20, 50
NOT_NOW = {413, 429, 503}
XML = {"Content-Type": "application/xml"}


async def start(served: House) -> None:
    await served.instance(program=(sys.executable, STARVED, str(FILES), str(MEMORY), "serve")).start()


@contextmanager
def crowd(instance: Instance) -> Iterator[int]:
    """Hold a thousand connections open without a word; tells how many could be made."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * CONNECTIONS)), hard))
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", instance.port))
        yield CONNECTIONS
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def post_large(storm: Storm) -> Counter[int]:
    """Post fifty large documents at once; 0 counts those whose connection was cut."""
    (instance,), sender = storm.house.instances, storm.senders[0]
    answers: Counter[int] = Counter()

    async def post(client: AsyncClient) -> None:
        content, start = document(msg_id := str(uuid4()), padding=LARGE), time.time()
        told = {"sender": sender.sender, "msg_id": msg_id, "sha256": sha256(content)}
        try:
            answer = await client.post("/documents", content=content, headers=XML)
        except HTTPError:
            answers[0] += 1
            sender.history.write("post", start, UNKNOWN, **told)
            return
        answers[answer.status_code] += 1
        if answer.is_success:
            told["message_id"] = answer.json()["id"]
        sender.history.write("post", start, outcome_of(answer), **told)

    headers = {"Authorization": f"Bearer {sender.key}"}
    limits = Limits(max_connections=HOW_MANY)
    async with AsyncClient(base_url=instance.url, headers=headers, timeout=120, limits=limits) as client:
        await asyncio.gather(*(post(client) for _ in range(HOW_MANY)))
    return answers


async def test_f20_a_starved_process_says_not_now_and_has_everything_back_afterwards(
    settings: Settings, folder: Path, draw: random.Random
) -> None:
    answers: Counter[int] = Counter()

    async def starve(storm: Storm) -> None:
        (instance,) = storm.house.instances
        with crowd(instance) as made:
            await asyncio.sleep(draw.uniform(1, 2))
            assert instance.measure()["fds"] >= FILES * 0.8
            storm.strikes += made
        await instance.ready()
        answers.update(await post_large(storm))
        storm.struck()

    terms = {"database_pool_size": 2, "memory_in_flight_bytes": 192 << 20, "turn_seconds": 2}
    found, storm = await weather(
        settings, folder, draw, starve, Conditions(start=start, least=CONNECTIONS + 1, terms=terms)
    )
    assert found == []
    assert set(answers) <= {202, *NOT_NOW}
    assert answers[503] > 0
    assert all(one.kills == 0 for one in storm.house.instances)
    assert sum(len(one.accepted) for one in storm.senders) > 0
