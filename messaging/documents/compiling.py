"""Schemas that are not ours, compiled first in a process that may be killed: a few lines can ask for all there is."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, cast

from lxml import etree

from messaging.documents import apart
from messaging.errors import ConfigurationError

LONGEST = 10
"""Seconds that compiling may take; the official schemas take a thousandth of it."""

_OUT_OF_BOUNDS = 3


def require_bounded(driver: bytes) -> None:
    """Compile a schema and what it imports, apart; raises ConfigurationError when that takes more than it may.

    Whether it compiles at all is not said here: who compiles it next can tell what is wrong.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            apart.command(__name__), input=driver, capture_output=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        pass
    else:
        if done.returncode == 0:
            return
    raise ConfigurationError("The schemas do not compile together within the memory and time that they are given.")


def main() -> int:
    """Compile the schema on standard input, within bounds."""
    apart.limit(seconds=LONGEST)
    try:
        etree.XMLSchema(file=sys.stdin.buffer)
    except etree.LxmlError as error:
        return 0 if [*cast("Any", error).error_log] else _OUT_OF_BOUNDS
    except MemoryError:
        return _OUT_OF_BOUNDS
    return 0
