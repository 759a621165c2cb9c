"""The Unix socket that a proxy on the same host connects to: open to our user and group, and to nobody else."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from messaging.errors import ConfigurationError

_OTHERS = 0o117
"""What the socket's mode leaves out: everything for others, and executing."""


def bound(path: Path) -> socket.socket:
    """Bind the socket, in the place of one that nobody listens at any more. Raises ConfigurationError.

    Whoever can connect is believed about the callers, where `trusted_proxies` has `unix`: hence the narrow mode, which
    holds from the first moment.
    """
    place = path.absolute()
    _clear(place)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(_OTHERS)
    try:
        listening.bind(str(place))
    except OSError as error:
        listening.close()
        raise ConfigurationError(f"uds: {path} cannot be bound: {error.strerror or error}.") from error
    finally:
        os.umask(before)
    listening.set_inheritable(True)
    return listening


def _clear(place: Path) -> None:
    try:
        if not stat.S_ISSOCK(place.stat().st_mode):
            raise ConfigurationError(f"uds: {place.name} is there and is no socket; name another path.")
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(str(place))
        except OSError:
            place.unlink(missing_ok=True)
            return
    raise ConfigurationError(f"uds: another process listens at {place.name}; stop it first, or name another path.")
