"""What every test of the console may ask for: the whole application over a running exchange."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from doors import Api, application, forget
from world import World


@pytest.fixture
async def api(running: World) -> AsyncIterator[Api]:
    """The application without a network between."""
    app = application(running)
    async with AsyncExitStack() as stack:
        yield Api(running, app, stack)
    forget(app)
