"""A listening socket that is about to be closed: nobody new may begin to connect, and who has connected is taken in.

The kernel tears down what stands in the queue of a socket that is closed. So the queue must be empty then, and stay so.
"""

from __future__ import annotations

import ctypes
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from struct import pack
from typing import Any

_ATTACH_FILTER = 26
"""SO_ATTACH_FILTER of Linux, which the library does not name."""
_WITHOUT_SYN = (
    (0x30, 0, 0, 13),  # load the flags of the TCP header
    (0x45, 0, 1, 0x02),  # SYN: somebody begins to connect
    (0x06, 0, 0, 0),  # drop the packet
    (0x06, 0, 0, 0xFFFF),  # take it
)
"""A filter for the kernel (classic BPF)."""


def admit_nobody_new(listening: Any) -> None:
    """Let the kernel pass over whoever begins to connect; they try again in a second, and are then refused.

    Only Linux can, and only for TCP; elsewhere a connection that is made in the very moment of the end is reset.
    """
    if sys.platform != "linux" or listening.family not in (socket.AF_INET, socket.AF_INET6):
        return
    steps = ctypes.create_string_buffer(b"".join(pack("HBBI", *step) for step in _WITHOUT_SYN))
    program = pack("HL", len(_WITHOUT_SYN), ctypes.addressof(steps))
    with suppress(OSError), socket.fromfd(listening.fileno(), listening.family, listening.type) as ours:
        ours.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)


def queued(listening: Any) -> Iterator[socket.socket]:
    """Accept what waits in the queue, and wait for nothing."""
    with socket.fromfd(listening.fileno(), listening.family, listening.type) as ours:
        ours.setblocking(False)
        while True:
            try:
                yield ours.accept()[0]
            except OSError:
                return
