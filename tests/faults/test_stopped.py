"""The exchange is asked to stop under load; clients see refused connections and nothing worse, and it goes soon."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from faults.processes import Instance, house
from faults.storm import registered
from faults.traffic import NURSING, document

from messaging.http import AsyncClient, ConnectError, HTTPError, Limits
from messaging.settings import Settings

ROUNDS = 3
BUSY = 30
SOON = 5.0
"""Seconds: on a machine that has other things to do as well; left alone it takes about two."""
RENEWED_WITHIN = 180.0
"""Seconds for two workers one after the other: each starts among others that test, and may take its grace to end."""
XML = {"Content-Type": "application/xml"}


@dataclass
class Seen:
    """What clients were told."""

    accepted: int = 0
    refused: int = 0
    worse: list[str] = field(default_factory=list)
    busy: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when each of those who send has been answered a few times."""

    def accept(self) -> None:
        self.accepted += 1
        if self.accepted % BUSY == 0:
            self.busy.set()


async def ask_until_refused(instance: Instance, key: str, seen: Seen, draw: random.Random) -> None:
    """Send documents on one connection, now and then after a pause, until nobody listens any more."""
    headers = {"Authorization": f"Bearer {key}"}
    async with AsyncClient(base_url=instance.url, headers=headers, timeout=30) as client:
        while True:
            try:
                answer = await client.post("/documents", content=document(str(uuid4())), headers=XML)
            except ConnectError:
                seen.refused += 1
                return
            except HTTPError as error:
                seen.worse.append(type(error).__name__)
                return
            if answer.status_code == 202:
                seen.accept()
            else:
                seen.worse.append(str(answer.status_code))
            await asyncio.sleep(draw.choice([0, 0, 0.01, 0.2]))


async def connect_until_refused(instance: Instance, seen: Seen) -> None:
    """Ask on a new connection each time: some connect in the very moment of the end."""
    async with AsyncClient(base_url=instance.url, timeout=30, limits=Limits(max_keepalive_connections=0)) as client:
        while True:
            try:
                answer = await client.get("/health/live")
            except ConnectError:
                seen.refused += 1
                return
            except HTTPError as error:
                seen.worse.append(type(error).__name__)
                return
            if answer.status_code != 200:
                seen.worse.append(str(answer.status_code))


async def follow(instance: Instance, key: str) -> str:
    """Follow notifications to the end of the stream; what ends it otherwise is raised."""
    edi = {"Authorization": f"Bearer {key}", "api-version": "3", "nhn-source-system": "Faults, 1.0"}
    async with (
        AsyncClient(base_url=instance.url, headers=edi, timeout=60) as client,
        client.stream("GET", "/notifications/unread/stream", params={"HerIds": NURSING}) as stream,
    ):
        return "".join([piece async for piece in stream.aiter_text()])


async def stop_under_load(instance: Instance, keys: dict[str, str], seen: Seen, draw: random.Random) -> float:
    """Load one process, ask it to stop, and tell how long it took."""
    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(ask_until_refused(instance, keys["sykehus"], seen, draw))
        for _ in range(2):
            group.create_task(connect_until_refused(instance, seen))
        streams = [group.create_task(follow(instance, keys["kommune"])) for _ in range(2)]
        seen.busy.clear()
        await seen.busy.wait()
        await asyncio.sleep(draw.uniform(0, 0.3))
        began = time.monotonic()
        code = await instance.stop()
        took = time.monotonic() - began
    assert code in (0, -signal.SIGTERM)
    assert all("connected" in stream.result() for stream in streams)
    return took


async def stopped_and_started(settings: Settings, folder: Path, draw: random.Random, *more: str) -> Seen:
    """Stop and start again, several times, under load."""
    seen, took = Seen(), []
    keys = await registered(settings)
    async with house(settings, folder, instances=0) as served:
        instance = served.instance(program=(sys.executable, "-m", "messaging", "serve", *more))
        for _ in range(ROUNDS):
            await instance.start()
            took.append(await stop_under_load(instance, keys, seen, draw))
    assert max(took) < SOON
    return seen


async def test_f21_a_process_that_stops_under_load_cuts_nobody_off(
    settings: Settings, folder: Path, draw: random.Random
) -> None:
    seen = await stopped_and_started(settings, folder, draw)
    assert seen.worse == []
    assert seen.refused == 8 * ROUNDS


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_f21_several_processes_that_stop_under_load_cut_nobody_off(
    settings: Settings, folder: Path, draw: random.Random
) -> None:
    seen = await stopped_and_started(settings, folder, draw, "--workers", "2")
    assert seen.worse == []
    assert seen.refused == 8 * ROUNDS


def workers(instance: Instance) -> set[int]:
    """Name the processes that serve for one that only looks after them (Linux)."""
    children = Path(f"/proc/{instance.pid}/task/{instance.pid}/children").read_text("ascii").split()
    return {int(one) for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()}


def lives(pid: int) -> bool:
    """Tell whether a process is there, and no mere entry of one that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def ask_until(over: asyncio.Event, instance: Instance, seen: Seen) -> None:
    """Ask on one connection as long as it is kept, and on a new one now and then."""
    async with AsyncClient(base_url=instance.url, timeout=30) as client:
        while not over.is_set():
            try:
                answer = await client.get("/health/live")
            except HTTPError as error:
                seen.worse.append(type(error).__name__)
            else:
                seen.accepted += answer.status_code == 200


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_f21_workers_are_renewed_under_load_and_nobody_is_even_refused(settings: Settings, folder: Path) -> None:
    seen, over = Seen(), asyncio.Event()
    async with house(settings, folder, instances=0) as served:
        instance = served.instance(program=(sys.executable, "-m", "messaging", "serve", "--workers", "2"))
        await instance.start()
        before = workers(instance)
        assert len(before) == 2
        async with asyncio.TaskGroup() as group:
            for _ in range(6):
                group.create_task(ask_until(over, instance, seen))
            assert instance.process is not None
            instance.process.send_signal(signal.SIGHUP)
            try:
                async with asyncio.timeout(RENEWED_WITHIN):
                    while workers(instance) & before:  # noqa: ASYNC110 - nothing tells of the end but the end itself
                        await asyncio.sleep(0.1)
            except TimeoutError:
                said = await asyncio.to_thread(instance.log.read_text, "utf-8")
                pytest.fail(f"of {before} there are still {workers(instance) & before}: {said[-4000:]}")
            finally:
                over.set()
        await instance.stop()
    assert seen.worse == []
    assert seen.accepted > 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_f21_workers_stop_by_themselves_when_the_one_that_looks_after_them_is_killed(
    settings: Settings, folder: Path
) -> None:
    async with house(settings, folder, instances=0) as served:
        instance = served.instance(program=(sys.executable, "-m", "messaging", "serve", "--workers", "2"))
        await instance.start()
        left = workers(instance)
        assert len(left) == 2
        await instance.kill()
        async with asyncio.timeout(60):
            while any(map(lives, left)):  # noqa: ASYNC110 - they are nobody's children now
                await asyncio.sleep(0.1)
