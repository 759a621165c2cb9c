"""Message, the root of Epikrise 1.1 and 1.2 (HIS 80226) and Henvisning 1.0 and 1.1 (HIS 80517), read into an Envelope.

They have no MsgHead: what MsgHead says stands in Message itself, and in the ServRprt or ServReq below it.
"""

from __future__ import annotations

from collections.abc import Iterator

from messaging.documents import names
from messaging.documents.addresses import NamedReceiver, address_of, each_once, written_address
from messaging.documents.catalogue import MessageKind
from messaging.documents.names import namespace_of, qualified
from messaging.documents.reader import Element
from messaging.documents.roots import Layout, Path
from messaging.documents.tree import attribute, child, text
from messaging.model.message import LONGEST_ID, DispatchStatus, Envelope, Receiver, ReceiverRole

_TYPES = {
    names.EPIKRISE_1_1: "E",
    names.EPIKRISE_1_2: "EPIKRISE",
    names.HENVISNING_1_0: "H",
    names.HENVISNING_1_1: "HENVISNING",
}
"""What a message is that does not tell its type: Message/Type may be left out, and the root says as much."""
_FOR_TESTING = "TEST"
"""Message/Status of a message that no patient's care rests on (list 8323)."""


def message_envelope(root: Element, layout: Layout, kind: MessageKind | None) -> Envelope:
    """Read a Message; what shares its link is its conversation, for there is no ConversationRef.

    An Epikrise that answers several referrals names the first of them.
    """
    msg_id = text(_part(root, layout.msg_id))
    link = text(_part(root, layout.link)) or msg_id or None
    answered = text(_part(root, layout.answers)) if layout.answers else ""
    return Envelope(
        type=message_type(root, layout),
        namespace=namespace_of(str(root.tag)),
        version=kind.version if kind else "",
        msg_id=msg_id,
        gen_date=attribute(_part(root, layout.gen_date), names.V),
        sender=address_of(_part(root, layout.sender)),
        receivers=each_once(message_receivers(root, layout)),
        status=DispatchStatus.of_code(attribute(_part(root, (*layout.body, "ServType")), names.V)),
        conversation_id=link,
        parent_id=answered if 0 < len(answered) <= LONGEST_ID else None,
        processing_status="T" if attribute(_part(root, ("Status",)), names.V) == _FOR_TESTING else "P",
        link=link,
    )


def message_type(root: Element, layout: Layout) -> str:
    """Tell the type of a Message: what Type says, and where there is no Type what the root says."""
    written = _part(root, layout.type)
    return _TYPES[namespace_of(str(root.tag))] if written is None else attribute(written, names.V)


def message_receivers(root: Element, layout: Layout) -> Iterator[NamedReceiver]:
    """Go through the receivers of a Message: the one it is for, and those who get a copy."""
    *above, copy, holder = (qualified(namespace_of(str(root.tag)), name) for name in layout.copies)
    below = child(root, *above)
    copies = [] if below is None else [child(element, holder) for element in below.iterchildren(copy)]
    for element, role in (
        (_part(root, layout.receiver), ReceiverRole.PRIMARY),
        *((element, ReceiverRole.COPY) for element in copies),
    ):
        written = written_address(element)
        if written is not None:
            yield written, Receiver(written.address, role)


def _part(root: Element, path: Path) -> Element | None:
    namespace = namespace_of(str(root.tag))
    return child(root, *(qualified(namespace, name) for name in path))
