"""Memory: what goes back to the system as soon as nobody needs it, and what stays and is not looked through."""

from __future__ import annotations

import ctypes
import gc

_M_MMAP_THRESHOLD = -3
"""glibc's number, from malloc.h."""
_LARGE = 1 << 20
_YOUNG, _MIDDLE, _OLD = 20_000, 20, 50
"""How many new objects, and how many rounds of the generation before, let Python look for cycles in each generation."""


def return_large_pieces() -> None:
    """Let glibc map each piece of a megabyte or more by itself, so that it is unmapped when it is freed.

    Left alone, glibc raises this threshold to 32 MB after the first large document and keeps what is freed in the heap
    of each thread. Another C library than glibc is left as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)


def look_for_nothing() -> None:
    """Let Python look for no cycles while what stays is loaded; a seventh of the time that a start takes."""
    gc.disable()


def look_again() -> None:
    """Let Python look for cycles as it does by itself."""
    gc.enable()


def leave_what_stays() -> None:
    """Tell the search for cycles to leave what has been loaded by now; for a process that does nothing but serve.

    Modules, schemas and routes stay as long as the process. Looking through them again and again, as many requests
    as are under way, costs a tenth of a server's time and finds nothing.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
