"""Memory that goes back to the system as soon as nobody needs it."""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3
"""glibc's number, from malloc.h."""
_LARGE = 1 << 20


def return_large_pieces() -> None:
    """Let glibc map each piece of a megabyte or more by itself, so that it is unmapped when it is freed.

    Left alone, glibc raises this threshold to 32 MB after the first large document and keeps what is freed in the heap
    of each thread. Another C library than glibc is left as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
