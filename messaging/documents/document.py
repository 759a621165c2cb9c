"""A document under judgement: its tree and what is already read from it, as the rules see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from messaging.documents.attachments import Attachment, attachments_of
from messaging.documents.catalogue import MessageKind
from messaging.documents.codelists import CodeLists
from messaging.documents.msghead import payloads
from messaging.documents.names import MSG_HEAD, namespace_of, qualified
from messaging.documents.reader import Element
from messaging.documents.roots import Layout, layout_of
from messaging.documents.survey import Found, Surveyor
from messaging.documents.tree import child
from messaging.documents.vocabulary import Vocabulary
from messaging.model.limits import Limits
from messaging.model.message import Envelope


@dataclass(frozen=True)
class Document:
    """A message that could be read: its root, its envelope, its kind if it has one, and the words to use about it.

    `elements` are all its elements, in order; `codes` are the code lists that hold, and `surveyor` walks over the
    elements once for all rules; `now` is the time of judgement, None where time does not count; `declares_encoding`
    tells whether it says which encoding it is in.
    """

    root: Element
    elements: Sequence[Element]
    envelope: Envelope
    vocabulary: Vocabulary
    kind: MessageKind | None
    codes: CodeLists
    surveyor: Surveyor
    now: datetime | None = None
    limits: Limits = field(default_factory=Limits)
    declares_encoding: bool = True

    @property
    def in_msghead(self) -> bool:
        """Whether the envelope is a MsgHead; if not, it is an AppRec or a Message (Epikrise 1.x, Henvisning 1.x)."""
        return self.root.tag == MSG_HEAD

    @cached_property
    def layout(self) -> Layout:
        """Where this root keeps its id, its type, its addresses."""
        layout = layout_of(str(self.root.tag))
        if layout is None:
            raise ValueError("A document under judgement has an envelope, and so one of the known roots.")
        return layout

    @cached_property
    def content(self) -> Element | None:
        """What the message itself says: a MsgHead's payload, ServRprt or ServReq of a Message, an AppRec's root."""
        if self.in_msghead:
            return next(payloads(self.root), None)
        return self.find(*self.layout.body)

    @cached_property
    def found(self) -> Found:
        """What a walk over the whole document found for the rules to look at."""
        return self.surveyor.walk(self.root, self.elements)

    @cached_property
    def attachments(self) -> tuple[Attachment, ...]:
        """Every attachment."""
        return tuple(attachments_of(self.root))

    @cached_property
    def is_copied(self) -> bool:
        """Whether the message names receivers beside the primary one."""
        copies = self.layout.copies
        return bool(copies) and self.find(*copies[:-1]) is not None

    @cached_property
    def _namespace(self) -> str:
        return namespace_of(str(self.root.tag))

    def find(self, *path: str) -> Element | None:
        """Go down from the root by local names, in the root's own namespace."""
        return child(self.root, *[qualified(self._namespace, name) for name in path])

    def every(self, *path: str) -> Iterator[Element]:
        """Go down from the root by local names: to the first of each, and to every one of the last."""
        *above, last = path
        parent = self.find(*above)
        if parent is not None:
            yield from parent.iterchildren(qualified(self._namespace, last))

    def nearest(self, *path: str) -> Element:
        """Find the place that the path names, or the last step of it that is there."""
        for length in range(len(path), 0, -1):
            element = self.find(*path[:length])
            if element is not None:
                return element
        return self.root
