"""Work in a process of its own, which may be killed: what it may take, and how it is started."""

from __future__ import annotations

import resource
import sys
from typing import BinaryIO

_MEMORY = 512 << 20
_LENGTH = 4
_UNLIMITED = resource.RLIM_INFINITY


def command(module: str) -> list[str]:
    """Tell how to run the `main` of one of our modules; the folder that one happens to stand in is not searched."""
    return [sys.executable, "-P", "-c", f"import sys; from {module} import main; sys.exit(main())"]


def framed(content: bytes) -> bytes:
    """Put before bytes how many they are, for a pipe."""
    return len(content).to_bytes(_LENGTH, "big") + content


def next_frame(pipe: BinaryIO) -> bytes:
    """Read what `framed` wrote; empty when the pipe is closed."""
    return pipe.read(int.from_bytes(pipe.read(_LENGTH), "big"))


def limit(*, memory: int = _MEMORY, seconds: int) -> None:
    """Let this process take so many bytes of memory, and so many seconds more of the processor before it dies.

    To be called by the process itself; the seconds may be granted anew for each task.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + 1 + seconds
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, until), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard == _UNLIMITED else min(most, hard), hard))
