"""Rehearsal: schemas of a pack that can run away meet a document first in a process that may be killed."""

from __future__ import annotations

import threading
import time

from messaging.documents.catalogue import Catalogue
from messaging.documents.companion import STARTING, Companion

BUDGET = 4.0
"""Seconds that a document's validation may take there, waiting for the answer included."""
LONGEST = 0.5
"""Seconds of the processor; a document that takes longer there is not validated here."""

_MODULE = "messaging.documents.rehearsing"


class Rehearsal:
    """Tells which documents the schemas come to an end with; may be asked by any number of threads at once.

    Documents are tried one at a time; the process is killed when one takes it too long, and started anew at once.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._turn = threading.Lock()
        self._process: Companion | None = Companion(_MODULE, catalogue)

    def ends_soon(self, content: bytes) -> bool:
        """Tell whether the schemas are done with a document soon; it may take BUDGET to learn that they are not."""
        with self._turn:
            process = self._process
            if process is None or not process.ready(time.monotonic() + STARTING):
                self._begin_again()
                return False
            took = process.ask(content, time.monotonic() + BUDGET)
            if took is None:
                self._begin_again()
            return took is not None and took <= LONGEST

    def close(self) -> None:
        """End the process."""
        with self._turn:
            if self._process is not None:
                self._process.kill()
                self._process = None

    def _begin_again(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._process = Companion(_MODULE, self._catalogue)
