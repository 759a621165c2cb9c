"""Other products under the same load: `python -m benchmarks.peers [URL] [--rounds 3] [--seconds 3] [--folder F]`.

mesh-sandbox (the NHS's sandbox of MESH) keeps files, asks for no token, and neither validates nor commits; django-pyas2
takes AS2 messages, signed and encrypted, into SQLite in one process, between the two partners that its own tests use.
Both are installed from the Python package registry into virtual environments of their own under the folder. Ours has
everything switched on; `URL` is that of a PostgreSQL server, without it SQLite. Ours and theirs take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import document_of, drive
from benchmarks.report import Row, line
from benchmarks.table import Measures, _accepted, _named, _serving, _told

_SIZE = 4_000
_MESSAGES = 3_000
"""More than either takes in the time of a measurement."""
_CONNECTIONS = 32
_BOXES = ("X26ABC1", "X26ABC2")
"""Mailboxes that mesh-sandbox has from the start."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another product: what is installed, what it answers when it has taken something, and what the goal is."""

    name: str
    packages: tuple[str, ...]
    status: int
    goal: float
    about: str


MESH = Peer("mesh-sandbox 1.0.137", ("mesh-sandbox==1.0.137",), 202, 5, "file store, no token check")
AS2 = Peer(
    "django-pyas2 1.2.3",
    ("django-pyas2==1.2.3", "gunicorn==26.2.0"),
    200,
    30,
    "SQLite, one process, signed and encrypted, with a signed receipt",
)


def _installed(folder: Path, peer: Peer) -> Path:
    """Install a product once; gives its Python."""
    place = folder / peer.name.replace(" ", "-")
    python = place / "bin" / "python"
    if not (place / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)  # noqa: S603 - ours
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages]
        if subprocess.run(command, check=False).returncode:  # noqa: S603 - names and versions of ours
            raise SystemExit(f"{peer.name} could not be installed; is the package registry within reach?")
        _mend(place)
        (place / "installed").touch()
    return python


def _mend(place: Path) -> None:
    """Let oscrypto 1.3.0, which django-pyas2 needs, read the version of an OpenSSL such as 3.0.16."""
    for found in place.glob("lib/*/site-packages/oscrypto/_openssl/_libcrypto_c*.py"):
        found.write_text(found.read_text("utf-8").replace(r"(\\d\\.\\d\\.\\d[a-z]*)", r"(\\d+\\.\\d+\\.\\d+[a-z]*)"))


@contextmanager
def _listening(command: list[str], folder: Path, **environment: str) -> Iterator[int]:
    """Start a server on the first core; gives its port once it takes connections."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - ours
            [part.format(port=port) for part in command],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )
    os.sched_setaffinity(process.pid, {0})  # we keep to the last core
    try:
        _await(port, process, folder)
        yield port
    finally:
        process.terminate()
        process.wait()


def _await(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"the server ended:\n{(folder / 'server.log').read_text('utf-8')[-2000:]}")


def _per_second(port: int, peer: Peer, make: Callable[[], bytes], seconds: float) -> float:
    for length in (seconds / 4, seconds):
        answers = asyncio.run(drive("127.0.0.1", port, make, connections=_CONNECTIONS, seconds=length))
        if set(answers.statuses) != {peer.status}:
            raise SystemExit(f"{peer.name} answered {dict(answers.statuses)}")
    return answers.per_second(peer.status)


def _mesh(python: Path, folder: Path, seconds: float) -> float:
    boxes = folder / "boxes"
    boxes.mkdir()
    _, document = document_of(_SIZE)
    fields = {"Host": "b", "Content-Type": "application/xml", "Mex-From": _BOXES[0], "Mex-To": _BOXES[1]}
    fields |= {"Mex-WorkflowID": "W", "Content-Length": str(len(document))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    head = f"POST /messageexchange/{_BOXES[0]}/outbox HTTP/1.1\r\n{lines}\r\n"
    command = [str(python), "-m", "uvicorn", "mesh_sandbox.api:app", "--port", "{port}", "--log-level", "warning"]
    switched = {"AUTH_MODE": "none", "STORE_MODE": "file", "MAILBOXES_DATA_DIR": str(boxes)}
    with _listening(command, folder, **switched) as port:
        return _per_second(port, MESH, lambda: head.encode() + document, seconds)


def _as2(python: Path, folder: Path, seconds: float) -> float:
    _, document = document_of(_SIZE)
    (folder / "document.xml").write_bytes(document)
    peer = Path(__file__).with_name("as2_peer.py")
    made = [str(python), str(peer), str(folder), str(folder / "document.xml"), str(_MESSAGES)]
    subprocess.run(made, check=True, cwd=folder, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
    requests = (path.read_bytes() for path in sorted(folder.glob("*.http")))
    server = ["-m", "gunicorn", "-w", "1", "-k", "gthread", "--threads", "1", "--keep-alive", "60"]
    command = [str(python), *server, "-b", "127.0.0.1:{port}", "as2_peer:application"]
    environment = {"AS2_FOLDER": str(folder), "PYTHONPATH": str(peer.parent)}
    with _listening(command, folder, **environment) as port:
        return _per_second(port, AS2, lambda: next(requests), seconds)


def beside(peer: Peer, url: str, measures: Measures, folder: Path) -> Row:
    """Measure documents accepted per second against what another product takes."""
    run = _mesh if peer is MESH else _as2
    python, ours, theirs = _installed(folder, peer), [], []
    for _ in range(measures.rounds):
        with _serving(url) as told:
            ours.append(_accepted(told, measures.seconds, _SIZE))
        with tempfile.TemporaryDirectory() as own:
            theirs.append(run(python, Path(own), measures.seconds))
    return Row(
        f"documents of {_SIZE // 1000} kB accepted per second, {_CONNECTIONS} connections",
        f"{peer.name} ({peer.about})",
        _named(url),
        "",
        peer.goal,
        at_least=True,
        rounds=tuple(one / other for one, other in zip(ours, theirs, strict=True)),
        beside=f"{_told(ours, 'ours')}, {_told(theirs, 'theirs')}",
    )


def main() -> None:
    """Measure beside each, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url", nargs="?", default="sqlite")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--folder", type=Path, help="where the products are installed, and stay")
    asked = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as otherwise:
        for peer in (MESH, AS2):
            url = "" if asked.url == "sqlite" else asked.url
            row = beside(peer, url, Measures(asked.rounds, asked.seconds), asked.folder or Path(otherwise))
            print(line(row), flush=True)


if __name__ == "__main__":
    main()
