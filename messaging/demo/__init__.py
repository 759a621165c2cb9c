"""The demo: an exchange on one folder, and three simulated systems that use it through its public HTTP API."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from messaging.app import create_app
from messaging.demo.busy import Busy
from messaging.demo.issuing import Issuing, issuing
from messaging.demo.person import admit
from messaging.demo.play import Played, closing, play, reason
from messaging.demo.serving import listen, serving
from messaging.demo.words import Words
from messaging.demo.world import DemoFolder, Guest, cast_of_the_stay, enrol
from messaging.http import HTTPError
from messaging.settings import load

DEFAULT_FOLDER = Path("demo-data")


async def run(
    *,
    once: bool,
    idle: bool,
    host: str,
    port: int,
    data: Path | None,
    database_url: str | None,
    oauth: bool = False,
    busy: Busy | None = None,
) -> int:
    """Start the exchange, play one patient's stay, and serve until SIGINT or SIGTERM; returns the exit code.

    `once` plays and stops: 0 only if every message ended acknowledged, else 1. `idle` serves without playing.
    `data` is the folder for the SQLite file, the key file and demo.json; None is `demo-data`, or with `once` a new
    temporary folder. `database_url` takes the SQLite file's place; port 0 finds a free one.
    With `busy` the exchange is first filled with a month of other traffic, if it has none, and nothing is played.
    With `oauth` an issuer of access tokens runs beside it, and the systems call by tokens bound to keys of their own.
    Raises ConfigurationError when the folder, the port or the database cannot be used.
    """
    async with AsyncExitStack() as stack:
        if once and data is None:
            data = Path(stack.enter_context(TemporaryDirectory(prefix="samhandling-demo-")))
        trust = await stack.enter_async_context(issuing()) if oauth else None
        if busy:
            return await _run_busy(busy, host=host, port=port, data=data or busy.folder, database_url=database_url)
        place = data or DEFAULT_FOLDER
        return await _run(
            once=once, idle=idle, host=host, port=port, data=place, database_url=database_url, trust=trust
        )


async def _run(
    *, once: bool, idle: bool, host: str, port: int, data: Path, database_url: str | None, trust: Issuing | None
) -> int:
    stop = _stop_on_signals()
    with DemoFolder.opened(data) as folder, listen(host, port) as socket:
        url = database_url or folder.sqlite_url
        more = trust.settings() if trust else {}
        settings = load(database_url=url, key_file=folder.key_file, host=host, port=port, **more)
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            guests = await enrol(app.state.exchange, folder.take_keys(), cast_of_the_stay())
            if trust:
                guests = await trust.introduce(app.state.exchange, guests)
            async with serving(app, app.state.exchange, socket, stop, settings.manners()) as base_url:
                person = await admit(app.state.exchange)
                words = Words(base_url, guests, person, issuer=trust.issuer.url if trust else None)
                about = {"base_url": base_url, "database_url": url, "pid": os.getpid(), "sign_in": person.as_json()}
                with folder.announced(about, guests=guests):
                    if not idle:
                        return await _perform(words, folder, stop, base_url=base_url, guests=guests, once=once)
                    words.idle(folder.announcement)
                    await stop.wait()
                    return 0


async def _run_busy(busy: Busy, *, host: str, port: int, data: Path, database_url: str | None) -> int:
    """Fill the exchange if it is empty, and serve it."""
    stop = _stop_on_signals()
    with DemoFolder.opened(data) as folder, listen(host, port) as socket:
        url = database_url or folder.sqlite_url
        settings = load(database_url=url, key_file=folder.key_file, host=host, port=port, **busy.settings())
        if not await busy.prepare(folder, settings, stop):
            return 1
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            guests = await enrol(app.state.exchange, folder.take_keys(), busy.cast())
            async with serving(app, app.state.exchange, socket, stop, settings.manners()) as base_url:
                person = await admit(app.state.exchange)
                about = {"base_url": base_url, "database_url": url, "pid": os.getpid(), "sign_in": person.as_json()}
                with folder.announced(about, guests=guests):
                    busy.tour(base_url, folder, person, guests)
                    await stop.wait()
    return 0


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _perform(
    words: Words, folder: DemoFolder, stop: asyncio.Event, *, base_url: str, guests: list[Guest], once: bool
) -> int:
    """Play the stay, say how it ended, and stay open unless `once`."""
    words.opening()
    playing = asyncio.create_task(_play(words, base_url, guests))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            return 1
        code = 0 if playing.result() else 1
        if not once:
            words.invitation(folder.write_document_to_try())
            await stop.wait()
        return code
    finally:
        for task in (playing, stopping):
            task.cancel()
        await asyncio.gather(playing, stopping, return_exceptions=True)


async def _play(words: Words, base_url: str, guests: list[Guest]) -> bool:
    played: list[Played] = []
    wrong = await play(base_url, guests, played, words.step)
    try:
        rows = await closing(base_url, guests, played)
    except HTTPError as error:
        wrong.append(f"the summary: {reason(error)}")
    else:
        words.summary(rows)
        wrong += [sentence for row in rows for sentence in row.wrong]
    words.verdict(wrong, messages=len(played))
    return not wrong
