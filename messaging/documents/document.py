"""A document under judgement: its tree and what is already read from it, as the rules see it."""

from __future__ import annotations

from dataclasses import dataclass

from messaging.documents.names import MSG_HEAD, namespace_of, qualified
from messaging.documents.reader import Element
from messaging.documents.tree import child, line_of, path_of
from messaging.documents.vocabulary import Vocabulary
from messaging.model.faults import Fault, FaultCode
from messaging.model.message import Envelope


@dataclass(frozen=True, slots=True)
class Document:
    """A message that could be read: its root, its envelope, and the words that may be used about it."""

    root: Element
    envelope: Envelope
    vocabulary: Vocabulary

    @property
    def in_msghead(self) -> bool:
        """Whether the envelope is a MsgHead; if not, it is an AppRec."""
        return self.root.tag == MSG_HEAD

    def find(self, *path: str) -> Element | None:
        """Go down from the root by local names, in the root's own namespace."""
        namespace = namespace_of(str(self.root.tag))
        return child(self.root, *(qualified(namespace, name) for name in path))

    def fault(self, code: FaultCode, text: str, *path: str) -> Fault:
        """Say what is wrong, at the place that the path names, or at the last step of it that is there."""
        for length in range(len(path), -1, -1):
            element = self.find(*path[:length])
            if element is not None:
                return Fault(code, text, line=line_of(element), path=path_of(element, self.vocabulary))
        return Fault(code, text)
