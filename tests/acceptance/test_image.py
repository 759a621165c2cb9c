"""The image cannot be built here; what it runs can be: its health check, and what its build copies and leaves out.

Its other steps, deploy/install and `samhandling serve`, are run by .ci/run and by the tests of the commands.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
import tomllib
from asyncio.subprocess import PIPE
from fnmatch import fnmatch
from pathlib import Path

from messaging.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
INSTRUCTIONS = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
LAST_STAGE = INSTRUCTIONS.rpartition("\nFROM ")[2]


def array(instruction: str) -> list[str]:
    """Read the JSON array of an instruction's command."""
    found = re.search(rf"^{instruction}\b[^\[\n]*(\[.*\])$", LAST_STAGE, re.MULTILINE)
    assert found, f"the Dockerfile's last stage has no {instruction} with an array"
    command: list[str] = json.loads(found[1])
    return command


def environment() -> dict[str, str]:
    found = re.search(r"^ENV (.*)$", LAST_STAGE, re.MULTILINE)
    assert found
    return dict(pair.split("=", 1) for pair in found[1].split())


async def health(port: int) -> int:
    program, *arguments = array("HEALTHCHECK")
    assert program == "python"
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env={**os.environ, f"{PREFIX}PORT": str(port)}, stderr=PIPE
    )
    await process.communicate()
    assert process.returncode is not None
    return process.returncode


async def test_the_health_check_tells_an_exchange_that_serves_from_none(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert await health(port) != 0
    settings = {
        f"{PREFIX}PORT": str(port),
        f"{PREFIX}DATABASE_URL": f"sqlite:///{tmp_path / 'samhandling.db'}",
        f"{PREFIX}KEY_FILE": str(tmp_path / "key"),
        f"{PREFIX}LOG_LEVEL": "info",
    }
    program, *arguments = array("CMD")
    assert program == "samhandling"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "messaging", *arguments, env={**os.environ, **settings}, stderr=PIPE
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(60):
            while b"running on" not in (line := await process.stderr.readline()):
                assert line, "the exchange ended before it served"
        code = await health(port)
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert code == 0


def test_it_sets_only_settings_that_exist() -> None:
    named = {name for name in environment() if name.startswith(PREFIX)}
    assert named <= {f"{PREFIX}{name}".upper() for name in Settings.model_fields}


def test_it_does_not_run_as_root() -> None:
    user = re.search(r"^USER (\S+)$", LAST_STAGE, re.MULTILINE)
    assert user
    assert user[1] not in ("root", "0")
    assert f"--uid {user[1]} " in LAST_STAGE


def test_what_the_build_needs_is_not_left_out() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed = [*packages, "pyproject.toml", project["project"]["readme"], "requirements.lock", "deploy"]
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert [name for name in needed if any(fnmatch(name, pattern) for pattern in left_out)] == []
    assert [name for name in needed if not (ROOT / name).exists()] == []


def test_what_it_installs_with_can_be_run() -> None:
    assert os.access(ROOT / "deploy" / "install", os.X_OK)
    assert "RUN deploy/install dist/*.whl /opt/samhandling" in INSTRUCTIONS
