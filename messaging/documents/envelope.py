"""A document's own account of itself, read into an Envelope, whatever root it has.

Everything is read by its exact place, so that what looks like an address elsewhere is never taken for one.
"""

from __future__ import annotations

from collections.abc import Iterator

from messaging.documents.addresses import NamedReceiver
from messaging.documents.apprec_root import apprec_envelope
from messaging.documents.catalogue import MessageKind
from messaging.documents.message_roots import message_envelope, message_receivers
from messaging.documents.msghead import msghead_envelope, msghead_receivers
from messaging.documents.names import MSG_INFO
from messaging.documents.reader import Element
from messaging.documents.roots import APPREC, MSGHEAD, layout_of
from messaging.documents.tree import child
from messaging.model.message import Envelope


def envelope_of(root: Element, kind: MessageKind | None = None) -> Envelope | None:
    """Read the envelope as far as it can be read, also of a document with faults; None when the root is no message.

    What is missing is empty or None: the rules tell what is wrong with it.
    """
    layout = layout_of(str(root.tag))
    if layout is None:
        return None
    if layout is MSGHEAD:
        return msghead_envelope(root, kind)
    return apprec_envelope(root) if layout is APPREC else message_envelope(root, layout, kind)


def receivers_of(root: Element) -> Iterator[NamedReceiver]:
    """Go through those whom a message names as receivers, known or not; none where the root is no message."""
    layout = layout_of(str(root.tag))
    if layout is None or layout is APPREC:
        return iter(())
    return msghead_receivers(child(root, MSG_INFO)) if layout is MSGHEAD else message_receivers(root, layout)
