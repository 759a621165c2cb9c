"""The busy demo as a newcomer starts it: the month is there on every page, with what went wrong in it, and is whole."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from messaging.http import AsyncClient

PATIENCE = 120
PAGES = (
    "",
    "/messages",
    "/parties",
    "/routes",
    "/routes-resend",
    "/audit",
    "/audit/readings",
    "/audit/seals",
    "/patient",
)


@asynccontextmanager
async def busy(*arguments: str, cwd: Path) -> AsyncIterator[list[str]]:
    """Start the demo, wait until it serves, and make an end of it; yields what it has said."""
    command = [sys.executable, "-m", "messaging", "demo", "--busy", "--port", "0", *arguments]
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(PATIENCE):
            assert process.stdout is not None
            said = []
            async for line in process.stdout:
                said.append(line.decode())
                if "Serving until Ctrl-C" in said[-1]:
                    break
            else:
                assert process.stderr is not None
                raise AssertionError(" ".join((await process.stderr.read()).decode().split()))
            yield said
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.communicate()


@asynccontextmanager
async def signed_in(folder: Path) -> AsyncIterator[AsyncClient]:
    """Sign in as the person that the demo names."""
    told: dict[str, Any] = json.loads((folder / "demo.json").read_text("utf-8"))
    headers = {"Accept-Language": "en"}
    async with AsyncClient(base_url=told["base_url"], headers=headers, follow_redirects=True) as http:
        form = re.search(r'name="csrf" value="([^"]+)"', (await http.get("/sign-in")).text)
        assert form is not None
        await http.post("/sign-in", data={"csrf": form[1], **told["sign_in"]})
        yield http


async def shown(http: AsyncClient, path: str) -> str:
    """Read a page of the console as the words that it shows."""
    answer = await http.get(f"/console{path}")
    assert answer.status_code == 200, f"{path}: {answer.text}"
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())


async def counted(http: AsyncClient) -> dict[str, int]:
    """Read what needs somebody, by its words."""
    text = await shown(http, "")
    return {
        words: int(found[1]) if (found := re.search(rf"(\d+) {words}", text)) else -1
        for words in (
            "lack an AppRec",
            "given up",
            "rejected, not looked at",
            "lie uncollected",
            "mailboxes not asked for",
            "routes are parked",
            "keys and certificates end",
            "lines of the audit log are not sealed",
            "documents refused",
        )
    }


async def verified(folder: Path) -> str:
    """Check the audit log from another terminal, as the demo says how."""
    shell = f"set -a; . {folder}/settings.env; {sys.executable} -m messaging audit verify"
    process = await asyncio.create_subprocess_shell(shell, stdout=PIPE, stderr=PIPE, env={**os.environ})
    said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    return said.decode()


async def test_every_page_shows_the_month_and_its_troubles_and_the_audit_log_is_whole(
    database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    at = [] if database_url.startswith("sqlite") else ["--database-url", database_url]
    arguments = ["--messages", "100", "--data", str(folder), *at]
    async with busy(*arguments, cwd=tmp_path) as said, signed_in(folder) as http:
        pages = {path: await shown(http, path) for path in PAGES}
        needs = await counted(http)
        superseded = await shown(http, "/messages?state=superseded")
        told = await verified(folder)
    assert "of the month" in "".join(said), "it says how far it has come"
    assert {words for words, count in needs.items() if count <= 0} == {"lines of the audit log are not sealed"}
    assert "elvestad" in pages["/routes"]
    assert "the connection failed (ConnectError)" in pages["/routes"]
    assert "Kommunen bytter server i dag" in pages["/routes"]
    assert re.search(r"Myrnes kommune \d+ worth a look", pages["/parties"])
    assert "Sandholmen kommune 8117000 lacks an AppRec" in pages["/parties"]
    assert re.search(r"So many fit [1-9]", pages["/routes-resend"])
    assert "Avviste utskrivningsrapporter" in pages["/messages"]
    assert "Feilsøking sammen med avsender" in pages["/audit/readings"]
    assert "HENVISNING_NYTILSTAND" in superseded, "a referral whose cancellation came first"
    assert "the audit log is as it was sealed" in told


async def test_what_cannot_go_together_is_refused_with_what_to_do(tmp_path: Path) -> None:
    for arguments, words in ((("--busy", "--once"), "leave out --once"), (("--fresh",), "--busy's own folder")):
        command = [sys.executable, "-m", "messaging", "demo", *arguments]
        wide = {**os.environ, "COLUMNS": "200"}
        process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stderr=PIPE, env=wide)
        _, complained = await process.communicate()
        assert process.returncode == 2
        assert words in complained.decode()


async def test_a_month_is_made_once_and_a_part_of_one_is_refused_until_it_is_made_anew(tmp_path: Path) -> None:
    arguments = ["--messages", "50", "--data", str(tmp_path / "data")]
    async with busy(*arguments, cwd=tmp_path):
        pass
    async with busy(*arguments, cwd=tmp_path) as said_again:
        pass
    assert "holds a month already" in said_again[0]
    (tmp_path / "data" / "month.json").unlink()
    with pytest.raises(AssertionError, match=r"a part of a month.*--fresh"):
        async with busy(*arguments, cwd=tmp_path):
            pass
    async with busy(*arguments, "--fresh", cwd=tmp_path) as said:
        pass
    assert "AppRecs among them" in "".join(said)
