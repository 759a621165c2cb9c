"""What kind of message it is: the root, the payload and the type must name one kind of the catalogue (T10)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from messaging.documents import names
from messaging.documents.catalogue import Catalogue, MessageKind
from messaging.documents.message_roots import message_type
from messaging.documents.msghead import payloads
from messaging.documents.reader import Element
from messaging.documents.roots import layout_of
from messaging.documents.tree import attribute, child, line_of, path_of
from messaging.model.faults import Fault, FaultCode


@dataclass(frozen=True, slots=True)
class Recognition:
    """The kind, or the faults that hinder it; `in_schema` tells whether the schemas know what they would judge."""

    kind: MessageKind | None
    faults: tuple[Fault, ...] = ()
    in_schema: bool = True


def recognise(root: Element, catalogue: Catalogue) -> Recognition:
    """Find the kind of a message (T10 when there is none: HIS 80415 6.3, the format is not supported)."""
    if root.tag != names.MSG_HEAD:
        return _of_root(root, catalogue)
    found = list(payloads(root))
    if not found:
        content = child(root, names.DOCUMENT, names.REF_DOC)
        place = root if content is None else content
        text = "The message carries no payload; expected exactly one in Document/RefDoc/Content."
        return Recognition(None, (_fault(catalogue, place, text),))
    if len(found) > 1:
        text = "Document/RefDoc/Content holds more than one payload; expected exactly one."
        return Recognition(None, (_fault(catalogue, found[1], text),))
    return _of_payload(root, found[0], catalogue)


def _of_root(root: Element, catalogue: Catalogue) -> Recognition:
    """Recognise an AppRec by its root alone, and a Message by its root and its Type."""
    kinds = [kind for kind in catalogue.kinds_in(names.namespace_of(str(root.tag))) if kind.envelope != "msghead"]
    kinds = [kind for kind in kinds if kind.root == names.local(str(root.tag))]
    if not kinds:
        expected = _versions(catalogue, root) or "MsgHead 1.2, AppRec 1.0 or 1.1, Epikrise 1.x or Henvisning 1.x"
        text = f"The root element is no message that is taken here; expected {expected}."
        return Recognition(None, (_fault(catalogue, root, text),), in_schema=False)
    layout = layout_of(str(root.tag))
    if layout is None or kinds[0].envelope == "apprec":
        return Recognition(kinds[0])
    named = message_type(root, layout)
    place = child(root, names.qualified(names.namespace_of(str(root.tag)), "Type"))
    return _of_type(kinds, named, catalogue, root if place is None else place, where="Type", what="the document")


def _of_payload(root: Element, payload: Element, catalogue: Catalogue) -> Recognition:
    """Compare MsgInfo/Type with the payload: each may be right, and the two contradict each other."""
    kinds = catalogue.kinds_in(names.namespace_of(str(payload.tag)))
    kinds = tuple(kind for kind in kinds if kind.envelope == "msghead")
    if not kinds:
        expected = _versions(catalogue, payload) or "one of the list of types and versions"
        text = f"The payload's namespace is of no message that is taken here; expected {expected}."
        return Recognition(None, (_fault(catalogue, payload, text),), in_schema=False)
    fitting = [kind for kind in kinds if _fits(kind, payload)]
    if not fitting:
        expected = _any_of(kind.payload for kind in kinds)
        text = f"The payload's root, or the event in it, is no message; expected {expected}."
        return Recognition(None, (_fault(catalogue, payload, text),))
    named = child(root, names.MSG_INFO, names.TYPE)
    place = root if named is None else named
    return _of_type(fitting, attribute(named, names.V), catalogue, place, where="MsgInfo/Type", what="the payload")


def _of_type(
    kinds: Sequence[MessageKind], named: str, catalogue: Catalogue, place: Element, *, where: str, what: str
) -> Recognition:
    """Choose the kind that the type names, among those that the content may be."""
    for kind in kinds:
        if kind.type == named:
            return Recognition(kind)
    expected = _any_of(kind.type for kind in kinds)
    text = f"{where} does not name what {what} is; expected V to be {expected}."
    return Recognition(None, (_fault(catalogue, place, text),))


def _versions(catalogue: Catalogue, element: Element) -> str:
    """Name the messages of this root, in the versions that are taken; empty when no message has such a root."""
    name = names.local(str(element.tag))
    namespaces = {kind.namespace for kind in catalogue.kinds if kind.root == name}
    versions: dict[str, list[str]] = {}
    for schema in catalogue.schemas:
        if schema.namespace in namespaces:
            versions.setdefault(schema.title, []).append(schema.version)
    return _any_of(f"{title} {', '.join(sorted(found))}" for title, found in versions.items())


def _fits(kind: MessageKind, payload: Element) -> bool:
    if kind.root != names.local(str(payload.tag)):
        return False
    return not kind.child or child(payload, names.qualified(kind.namespace, kind.child)) is not None


def _any_of(words: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(words))


def _fault(catalogue: Catalogue, place: Element, text: str) -> Fault:
    return Fault(FaultCode.T10, text, line=line_of(place), path=path_of(place, catalogue.vocabulary))
