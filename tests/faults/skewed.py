"""Runs `samhandling` on a host whose clock somebody moves: `python skewed.py FILE serve`; the file holds seconds.

All that reads the host's clock is moved: `time.time`, and the one reading of it in the product.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self

from messaging import cli
from messaging.model import clock

_SHIFT = Path(sys.argv[1])
_true_time = time.time


def shifted() -> float:
    """Tell the time as the host has it."""
    return _true_time() + float(_SHIFT.read_text("ascii"))


class _Shifted(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(shifted(), tz)


if __name__ == "__main__":
    time.time = shifted
    clock.datetime = _Shifted  # type: ignore[misc]
    sys.argv[1:] = sys.argv[2:]
    cli.main()
