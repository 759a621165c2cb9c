"""Real processes of the exchange, which a run starts, kills, stops and starts again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from messaging.http import AsyncClient, HTTPError
from messaging.settings import Settings

READY_WITHIN = 60.0
REFUSED = 3
"""The exit code of a server that would not start, as when the database was away."""


class Ended(AssertionError):
    """A process ended that was to serve."""


@dataclass
class Instance:
    """One `samhandling serve`, on a port of its own that it keeps over its lives."""

    name: str
    port: int
    environment: dict[str, str]
    log: Path
    before: Sequence[str] = ()
    """What starts it, such as strace with its options."""
    program: Sequence[str] = (sys.executable, "-m", "messaging", "serve")
    process: asyncio.subprocess.Process | None = None
    kills: int = 0
    slowest_start: float = 0.0
    """Seconds from a start to the first time that it said it was ready."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def start(self, *, ready: bool = True, program: Sequence[str] = ()) -> None:
        """Start it, and wait until it says that it is ready; `program` is for this life alone."""
        begun = time.monotonic()
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.before,
                *(program or self.program),
                "--port",
                str(self.port),
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that what it was started through ends with it
            )
        if ready:
            await self.ready()
            self.slowest_start = max(self.slowest_start, time.monotonic() - begun)

    async def start_until_it_stays(self) -> None:
        """Start it as what looks after services does: once more whenever it would not, until it is ready."""
        async with asyncio.timeout(READY_WITHIN):
            while True:
                try:
                    return await self.start()
                except Ended:
                    assert self.process is not None
                    if self.process.returncode != REFUSED:
                        raise

    async def ready(self) -> None:
        """Ask until it is ready; that is the one thing a process that begins can be asked."""
        process = self.process
        assert process is not None
        async with AsyncClient(timeout=5) as client, asyncio.timeout(READY_WITHIN):
            while True:
                if process.returncode is not None:
                    raise Ended(f"{self.name} ended with {process.returncode}; see {self.log}")
                try:
                    if (await client.get(f"{self.url}/health/ready")).is_success:
                        return
                except HTTPError:
                    pass
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """Kill it, as the kernel does when memory runs out."""
        await self._end(signal.SIGKILL)
        self.kills += 1

    async def stop(self) -> int:
        """Ask it to stop; gives its exit code."""
        return await self._end(signal.SIGTERM)

    async def ended(self) -> int:
        """Wait until it has ended by itself; gives its exit code, or the signal that it died of below 0."""
        assert self.process is not None
        async with asyncio.timeout(READY_WITHIN):
            code = await self.process.wait()
        self.kills += code == -signal.SIGKILL
        return code

    def pause(self) -> None:
        """Let it stand still, as on a host that swaps."""
        self._send(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on where it stood."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        os.killpg(self.pid, number)

    async def _end(self, number: signal.Signals) -> int:
        process = self.process
        if process is None:
            return 0
        if process.returncode is None:
            self._send(number)
        return await process.wait()

    def measure(self) -> dict[str, int]:
        """Say what it holds: open files, threads, and memory in MiB (Linux)."""
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        told = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if len(line.split()) > 1}
        files = len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
        return {"fds": files, "threads": int(told["Threads"]), "rss_mib": int(told["VmRSS"]) // 1024}


@dataclass
class House:
    """A database, its settings, and the processes that serve it."""

    settings: Settings
    folder: Path
    instances: list[Instance] = field(default_factory=list)

    def instance(
        self, *, before: Sequence[str] = (), program: Sequence[str] = Instance.program, **environment: str
    ) -> Instance:
        """Prepare one more process; nothing is started."""
        name = f"exchange-{len(self.instances) + 1}"
        logs = self.folder / "log"
        logs.mkdir(parents=True, exist_ok=True)
        made = Instance(
            name,
            free_port(),
            {**environment_of(self.settings), **environment},
            logs / f"{name}.log",
            before=before,
            program=program,
        )
        self.instances.append(made)
        return made

    @property
    def urls(self) -> list[str]:
        return [one.url for one in self.instances]


@asynccontextmanager
async def house(settings: Settings, folder: Path, *, instances: int = 1) -> AsyncIterator[House]:
    """Start so many processes on one database, and leave none behind."""
    made = House(settings, folder)
    try:
        for _ in range(instances):
            await made.instance().start()
        yield made
    finally:
        for one in made.instances:
            if one.process is not None and one.process.returncode is None:
                await one.kill()


def environment_of(settings: Settings) -> dict[str, str]:
    """Write settings as the environment that tells them."""
    given = settings.model_dump(mode="json", exclude_unset=True)
    told = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    named = {f"SAMHANDLING_{name.upper()}": value for name, value in told.items()}
    here = {name: value for name, value in os.environ.items() if not name.startswith("SAMHANDLING_")}
    paths = os.pathsep.join(sys.path[:1] + [path for path in sys.path if path.endswith("tests")])
    return {**here, "PYTHONPATH": paths, **named}


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
