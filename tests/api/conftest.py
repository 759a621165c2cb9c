"""What every test of the HTTP doors may ask for: the application over a running exchange, served or not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from doors import Api, application, forget, serving
from world import World


@pytest.fixture
async def api(running: World) -> AsyncIterator[Api]:
    """The application without a network between."""
    app = application(running)
    async with AsyncExitStack() as stack:
        yield Api(running, app, stack)
    forget(app)


@pytest.fixture
async def served(running: World) -> AsyncIterator[Api]:
    """The application behind a real server."""
    app = application(running)
    async with serving(app, running.exchange) as (_, url), AsyncExitStack() as stack:
        yield Api(running, app, stack, url, served=True)
    forget(app)
