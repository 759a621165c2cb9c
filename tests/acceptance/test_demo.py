"""The demo as a newcomer or a script starts it: a process of its own, told apart by its words and exit code."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fixtures.stay import stay
from messaging.http import AsyncClient, Response

PATIENCE = 90


@asynccontextmanager
async def demo(*arguments: str, cwd: Path, **environment: str) -> AsyncIterator[Process]:
    """Run `python -m messaging demo` on a free port, and make an end of it in any case."""
    command = [sys.executable, "-m", "messaging", "demo", "--port", "0", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env={**os.environ, **environment}, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def lines_until(process: Process, words: str) -> list[str]:
    """Read what the demo says until it says these words."""
    assert process.stdout is not None
    said: list[str] = []
    while not said or words not in said[-1]:
        line = await process.stdout.readline()
        assert line, f"the demo ended before it said {words!r}: {said}"
        said.append(line.decode().rstrip())
    return said


def at(database_url: str) -> list[str]:
    """Name PostgreSQL on the command line; SQLite is what the demo takes by itself."""
    return [] if database_url.startswith("sqlite") else ["--database-url", database_url]


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_once_plays_every_step_and_ends_well_on_either_database(database_url: str, tmp_path: Path) -> None:
    async with demo("--once", *at(database_url), cwd=tmp_path) as process:
        said, complained = (part.decode() for part in await process.communicate())
    steps = stay(datetime.now(UTC))
    assert process.returncode == 0, said + complained
    assert [step.title for step in steps if step.title not in said] == []
    assert said.count(" acknowledged ") == sum(len(step.receiver_her_ids) for step in steps)
    assert f"All {len(steps)} messages ended acknowledged" in said
    assert complained == ""
    assert names_in(tmp_path) == [], "it plays in a folder of its own"


async def test_once_says_which_step_went_wrong(tmp_path: Path) -> None:
    async with demo("--once", cwd=tmp_path, SAMHANDLING_LARGEST_DOCUMENT_BYTES="1000") as process:
        said, _ = await process.communicate()
    assert process.returncode == 1
    assert "step 1, LOG_INNLAGT: POST /messages was answered 413" in said.decode()


def announced(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "demo.json").read_text("utf-8"))
    return told


def keys(told: dict[str, Any]) -> dict[str, str]:
    return {client["name"]: client["key"] for client in told["clients"]}


async def test_a_killed_demo_starts_again_with_the_same_keys_and_messages(database_url: str, tmp_path: Path) -> None:
    document = stay(datetime.now(UTC))[0].content
    arguments = ["--idle", "--data", str(tmp_path / "data"), *at(database_url)]
    async with demo(*arguments, cwd=tmp_path) as process:
        await lines_until(process, "answers at")
        before = announced(tmp_path / "data")
        async with AsyncClient(base_url=before["base_url"]) as http:
            headers = {"Authorization": f"Bearer {keys(before)['sykehus']}", "Content-Type": "application/xml"}
            taken = await http.post("/documents", content=document, headers=headers)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert taken.status_code == 202
    async with demo(*arguments, cwd=tmp_path) as process:
        await lines_until(process, "answers at")
        after = announced(tmp_path / "data")
        async with AsyncClient(base_url=after["base_url"]) as http:
            path = f"/documents/{taken.json()['id']}"
            kept = await http.get(path, headers={"Authorization": f"Bearer {keys(after)['kommune']}"})
    assert after["pid"] != before["pid"]
    assert keys(after) == keys(before)
    assert (kept.status_code, kept.content) == (200, document)


async def signed_in(told: dict[str, Any]) -> Response:
    """Sign in as the person that the demo names, and ask who that is."""
    async with AsyncClient(base_url=told["base_url"]) as http:
        form = re.search(r'name="csrf" value="([^"]+)"', (await http.get("/sign-in")).text)
        assert form is not None
        await http.post("/sign-in", data={"csrf": form[1], **told["sign_in"]})
        return await http.get("/session")


async def test_demo_json_is_there_for_us_alone_and_only_while_the_demo_is_ready(tmp_path: Path) -> None:
    async with demo("--idle", "--data", str(tmp_path / "data"), cwd=tmp_path) as process:
        await lines_until(process, "answers at")
        told = announced(tmp_path / "data")
        mode = (tmp_path / "data" / "demo.json").stat().st_mode & 0o777
        home = await signed_in(told)
        process.send_signal(signal.SIGTERM)
        await process.wait()
    assert process.returncode == 0
    assert mode == 0o600
    assert (home.status_code, home.json()["role"]) == (200, "admin")
    assert set(told) == {"base_url", "database_url", "pid", "sign_in", "clients"}
    assert told["pid"] == process.pid
    assert told["database_url"].startswith("sqlite:///")
    assert [client["name"] for client in told["clients"]] == ["sykehus", "kommune", "lege", "operator"]
    nursing = {"her_id": 8110001, "parent_her_id": 8110000, "name": "Sykepleietjenesten"}
    assert nursing in told["clients"][1]["parties"]
    assert not (tmp_path / "data" / "demo.json").exists()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed here")
async def test_the_commands_that_it_prints_work_as_printed(tmp_path: Path) -> None:
    async with demo("--data", str(tmp_path / "data"), cwd=tmp_path) as process:
        said = await lines_until(process, "Serving until Ctrl-C")
        commands = [line.strip() for line in said if line.strip().startswith("curl ")]
        answers = [await shell(command) for command in commands]
        process.send_signal(signal.SIGINT)
        await process.wait()
    assert process.returncode == 0
    posted, news, watched = answers
    assert " 202 " in posted
    message_id = json.loads(posted.splitlines()[-1])["id"]
    assert message_id in {row["relatedMessageId"] for row in json.loads(news)["unreadNotifications"]}
    assert message_id in {row["id"] for row in json.loads(watched)["messages"]}


async def shell(command: str) -> str:
    process = await asyncio.create_subprocess_shell(command, stdout=PIPE, stderr=PIPE)
    said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    return said.decode()


async def test_a_port_in_use_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with demo("--idle", "--port", str(port), cwd=tmp_path) as process:
            _, complained = await process.communicate()
    assert process.returncode == 2
    assert f"Cannot listen on 127.0.0.1:{port}" in complained.decode()
    assert "--port" in complained.decode()


async def test_a_folder_that_cannot_be_written_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    async with demo("--idle", "--data", str(tmp_path / "file" / "data"), cwd=tmp_path) as process:
        _, complained = await process.communicate()
    assert process.returncode == 2
    assert "--data" in complained.decode()


async def test_two_demos_on_one_folder_are_one_too_many(tmp_path: Path) -> None:
    arguments = ["--idle", "--data", str(tmp_path / "data")]
    async with demo(*arguments, cwd=tmp_path) as first:
        await lines_until(first, "answers at")
        async with demo(*arguments, cwd=tmp_path) as second:
            _, complained = await second.communicate()
        still_there = announced(tmp_path / "data")
    assert second.returncode == 2
    assert "Another demo runs on" in complained.decode()
    assert still_there["pid"] == first.pid


async def test_the_play_runs_with_access_tokens_that_are_bound_to_their_callers(tmp_path: Path) -> None:
    async with demo("--once", "--auth", "oauth", "--data", str(tmp_path / "data"), cwd=tmp_path) as process:
        said = await lines_until(process, "messages ended acknowledged")
        assert await process.wait() == 0
    assert any("bound to a key of its own (DPoP)" in line for line in said)
