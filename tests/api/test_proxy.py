"""Behind a proxy: whose word on a caller is taken, and a real nginx that asks for certificates."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import ssl
import stat
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callers import ADMIN
from certificates import Pair, self_signed
from doors import application, forget
from messaging.api.unix_socket import bound
from messaging.errors import ConfigurationError
from messaging.flow import certificates, keys
from messaging.flow.keys import Limits
from messaging.http import ASGITransport, AsyncClient, TransportError
from messaging.model.edge import Edge
from messaging.settings import Settings
from world import Databases, SetClock, world

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
EXAMPLE = Path(__file__).parents[2] / "deploy" / "nginx.conf"
MESSAGES = "/operations/messages"


def test_a18_a_hop_that_the_caller_wrote_is_not_believed() -> None:
    edge = Edge(networks=("10.0.0.0/8",), unix=True)
    assert edge.source("192.0.2.1", "198.51.100.9") == "192.0.2.1"
    assert edge.source("10.0.0.1", "198.51.100.9, 192.0.2.1") == "192.0.2.1"
    assert edge.source("10.0.0.1", "192.0.2.1, 10.0.0.2") == "192.0.2.1"
    assert edge.source(None, "192.0.2.1") == "192.0.2.1"
    assert (edge.source("10.0.0.1", ""), edge.source(None, ""), edge.source("", "192.0.2.1")) == ("10.0.0.1", "", "")


def test_a_unix_socket_is_open_to_user_and_group_and_takes_the_place_of_a_dead_one(tmp_path: Path) -> None:
    place = tmp_path / "http.sock"
    bound(place).close()
    with bound(place) as listening:
        assert stat.S_IMODE(place.stat().st_mode) == 0o660
        listening.listen()
        with pytest.raises(ConfigurationError, match="another process listens"):
            bound(place)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigurationError, match="no socket"):
        bound(tmp_path / "file")
    with pytest.raises(ConfigurationError, match="cannot be bound"):
        bound(tmp_path / "nowhere" / "http.sock")


def free_port() -> int:
    with socket.socket() as asking:
        asking.bind(("127.0.0.1", 0))
        return int(asking.getsockname()[1])


@asynccontextmanager
async def process(*command: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    started = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(60):
            yield started
    finally:
        if started.returncode is None:
            started.terminate()
        await started.communicate()


def site(folder: Path, port: int, mine: Pair) -> Path:
    """Put the example of deploy/ on other paths and another port, and all that nginx needs around it."""
    (folder / "server.pem").write_text(mine.pem)
    (folder / "server.key").write_text(mine.key)
    text = EXAMPLE.read_text(encoding="utf-8")
    for there, here in (
        ("/run/samhandling/http.sock", str(folder / "http.sock")),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/ssl/exchange.example.pem", str(folder / "server.pem")),
        ("/etc/ssl/private/exchange.example.key", str(folder / "server.key")),
        ("exchange.example;", "localhost;"),
    ):
        assert there in text
        text = text.replace(there, here)
    kept = "\n".join(f"{name}_temp_path {folder};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;" if os.geteuid() == 0 else ""
    whole = (
        f"{user}daemon off; pid {folder}/pid; error_log stderr; events {{}}\nhttp {{ access_log off; {kept}\n{text} }}"
    )
    (folder / "nginx.conf").write_text(whole, encoding="utf-8")
    return folder / "nginx.conf"


async def answers(http: AsyncClient) -> int:
    """Ask until both processes are up; the caller's deadline bounds it."""
    while True:
        try:
            answer = await http.get(MESSAGES)
        except TransportError:
            await asyncio.sleep(0.05)
            continue
        if answer.status_code != 502:
            return answer.status_code
        await asyncio.sleep(0.05)


def presenting(folder: Path, trusted: Pair, mine: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=trusted.pem)
    if mine is not None:
        name = f"{abs(hash(mine.x5t))}"
        (folder / f"{name}.pem").write_text(mine.pem)
        (folder / f"{name}.key").write_text(mine.key)
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian's nginx-light)")
async def test_a_certificate_behind_nginx_tells_who_calls_and_nothing_else_does(
    databases: Databases, tmp_path: Path
) -> None:
    now = datetime.now(UTC) - timedelta(minutes=1)
    server, registered, foreign = (self_signed(now, timedelta(days=1)) for _ in range(3))
    made = Settings(database_url=await databases.sqlite(), key_file=tmp_path / "key", disk_reserve_bytes=0)
    async with world(made, SetClock(datetime.now(UTC))) as opened:
        await certificates.add(opened.exchange, ADMIN, "sykehus", registered.pem)
        outside = await keys.add(opened.exchange, ADMIN, "kommune", Limits(networks=("192.0.2.0/24",)))
        inside = await keys.add(opened.exchange, ADMIN, "lege", Limits(networks=("127.0.0.0/8",)))
    port = free_port()
    environment = {
        "SAMHANDLING_DATABASE_URL": made.database_url,
        "SAMHANDLING_KEY_FILE": str(tmp_path / "key"),
        "SAMHANDLING_DISK_RESERVE_BYTES": "0",
        "SAMHANDLING_UDS": str(tmp_path / "http.sock"),
        "SAMHANDLING_TRUSTED_PROXIES": '["unix"]',
    }
    base = f"https://localhost:{port}"
    async with (
        process(sys.executable, "-m", "messaging", "serve", **environment),
        process(str(NGINX), "-c", str(site(tmp_path, port, server)), "-p", str(tmp_path)),
        AsyncClient(base_url=base, verify=presenting(tmp_path, server, registered)) as known,
        AsyncClient(base_url=base, verify=presenting(tmp_path, server, foreign)) as unknown,
        AsyncClient(base_url=base, verify=presenting(tmp_path, server)) as bare,
    ):
        assert await answers(known) == 200
        assert (await unknown.get(MESSAGES)).status_code == 401
        assert (await bare.get(MESSAGES)).status_code == 401
        forged = re.sub("\n", "%0A", registered.pem)
        for name in ("X-Client-Certificate", "x-client-certificate", "X_Client_Certificate"):
            assert (await bare.get(MESSAGES, headers={name: forged})).status_code == 401
        said = {"X-Forwarded-For": "192.0.2.1"}
        for key, status in ((outside, 401), (inside, 200)):
            answer = await bare.get(MESSAGES, headers={"Authorization": f"Bearer {key}", **said})
            assert answer.status_code == status
        both = await known.get(MESSAGES, headers={"Authorization": f"Bearer {inside}"})
        assert (both.status_code, "more than one way" in both.text) == (401, True)


async def test_a18_a_certificate_in_the_header_of_a_caller_that_is_no_proxy_is_not_looked_at(
    databases: Databases, tmp_path: Path
) -> None:
    clock = SetClock()
    mine = self_signed(clock() - timedelta(days=1), timedelta(days=2))
    header = {"X-Client-Certificate": re.sub("\n", "%0A", mine.pem)}
    for proxies, status in ((("unix", "192.0.2.0/24"), 401), (("127.0.0.1",), 200)):
        made = Settings(
            database_url=await databases.sqlite(),
            key_file=tmp_path / "key",
            disk_reserve_bytes=0,
            trusted_proxies=proxies,
        )
        async with world(made, clock) as opened:
            await certificates.add(opened.exchange, ADMIN, "sykehus", mine.pem)
            app = application(opened)
            async with AsyncClient(transport=ASGITransport(app), base_url="http://samhandling") as http:
                assert (await http.get(MESSAGES, headers=header)).status_code == status
                clock.forward(days=1)
                assert (await http.get(MESSAGES, headers=header)).status_code == 401
                clock.forward(days=-1)
            forget(app)
