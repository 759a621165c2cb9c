"""The HTTP server: uvicorn with connections of our own, in one process or several."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import uvicorn

from messaging.api.connection import Connection
from messaging.model.manners import Manners


def configured(app: Any, manners: Manners, **given: Any) -> uvicorn.Config:
    """Configure uvicorn for an application, or for its name: no banner, no word on the caller but ours."""
    return uvicorn.Config(
        app,
        http=cast("Any", partial(Connection, manners)),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=cast("Any", manners.idle_seconds),
        **given,
    )


def serve(config: uvicorn.Config) -> None:
    """Serve until told to stop, in as many processes as are configured. Raises SystemExit when the start fails."""
    if config.workers == 1:
        uvicorn.Server(config).run()
        return
    from uvicorn.supervisors import Multiprocess

    Multiprocess(config, sockets=[config.bind_socket()]).run()
