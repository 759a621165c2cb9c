"""Writing an application receipt (AppRec 1.0 and 1.1, HIS 80415) that answers a message; apprec_root.py reads one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from messaging.documents import names
from messaging.documents.addresses import Ident, Level, WrittenAddress, written_address
from messaging.documents.envelope import envelope_of, receivers_of
from messaging.documents.reader import Element, read
from messaging.documents.roots import Layout, Path, layout_of
from messaging.documents.tree import attribute, child, first_of_each, text
from messaging.errors import InvalidRequest
from messaging.model.faults import Fault
from messaging.model.limits import AS_KEPT
from messaging.model.message import Envelope, Receiver, ReceiverRole
from messaging.model.receipt import Receipt

_NAMESPACES = {"1.0": names.APPREC_1_0, "1.1": names.APPREC_1_1}
_MIG_VERSIONS = {"1.0": "1.0 2004-11-21", "1.1": "v1.1 2012-02-15"}
_RECEIVER_ROLES = {"1.0": ("RECEIVER", ""), "1.1": ("AVS", "Avsender")}
"""The role of the one who gets the receipt, who sent the original."""
_ADDRESS_PARTS = {
    "Type": True,
    "StreetAdr": False,
    "PostalCode": False,
    "City": False,
    "County": True,
    "Country": True,
    "CityDistr": True,
}
"""The parts of a postal address in their order, and whether they are coded values."""
_REFERRALS = ("HENVISNING", "H")
_MOMENT = re.compile(
    r"(?P<year>-?[0-9]{4,})(?P<month>-[0-9]{2})?(?P<day>-[0-9]{2})?(?P<time>T[0-9:]{8}(?:\.[0-9]+)?)?"
    r"(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?"
)


def write_apprec(
    original: bytes | Original,
    receipt: Receipt,
    *,
    version: str,
    answerer: int | Receiver,
    msg_id: str,
    gen_date: str,
    software: str = "",
    software_version: str = "",
) -> bytes:
    """Write the AppRec by which one receiver answers a message, in UTF-8.

    `original` is the message as it was received, or as `read_original` has read it; `version` 1.0 or 1.1; `answerer`
    the HER-id of the receiver that answers, or one of `named_receivers`. Addresses are mirrored: the receiver becomes
    the sender (HIS 80415 3.5). What the receipt says of the original is read from the original itself. Raises
    InvalidRequest when a text of the receipt holds characters that XML cannot carry, and ValueError when the original
    has no such receiver.
    """
    asked = read_original(original) if isinstance(original, bytes) else original
    sender, role = _answerer(asked.root, answerer)
    writer = _Writer(_NAMESPACES[version])
    try:
        answer = writer.root()
        writer.coded(answer, "MsgType", "APPREC", "Applikasjonskvittering")
        writer.plain(answer, "MIGversion", _MIG_VERSIONS[version])
        writer.plain(answer, "SoftwareName", software)
        writer.plain(answer, "SoftwareVersion", software_version)
        writer.plain(answer, "GenDate", gen_date)
        writer.plain(answer, "Id", msg_id)
        writer.party(answer, "Sender", _answering_role(version, role, asked.envelope.type), sender)
        writer.party(answer, "Receiver", _RECEIVER_ROLES[version], written_address(asked.find(asked.layout.sender)))
        writer.coded(answer, "Status", receipt.status.code, receipt.status.text)
        for error in receipt.errors:
            writer.coded(answer, "Error", error.code, error.text, system=error.oid, original_text=error.details)
        writer.original(answer, asked, gen_date)
    except ValueError as error:
        raise InvalidRequest(
            "The receipt's texts hold a character that XML cannot carry.",
            details=["remove control characters from the errors' texts and the software's name"],
        ) from error
    return etree.tostring(answer, encoding="UTF-8", xml_declaration=True, pretty_print=True)


@dataclass(frozen=True, slots=True)
class Original:
    """A message that can be answered, as it was read."""

    root: Element
    layout: Layout
    envelope: Envelope

    def find(self, path: Path) -> Element | None:
        """Go down from the root, in the root's own namespace."""
        namespace = names.namespace_of(str(self.root.tag))
        return child(self.root, *(names.qualified(namespace, step) for step in path))


def read_original(content: bytes) -> Original:
    """Read a message once, for all that is asked of it to answer it. Raises ValueError where nothing can answer it."""
    tree = read(content, AS_KEPT)
    if not isinstance(tree, Fault):
        layout, envelope = layout_of(str(tree.root.tag)), envelope_of(tree.root)
        if layout is not None and envelope is not None and not envelope.is_apprec:
            return Original(tree.root, layout, envelope)
    raise ValueError("Only a readable message can be answered with an AppRec, and no AppRec is.")


def named_receivers(original: bytes) -> tuple[Receiver, ...]:
    """Name whom a message is addressed to, known or not; nobody where it cannot be read, or is an AppRec."""
    tree = read(original, AS_KEPT)
    return () if isinstance(tree, Fault) else tuple(named for _, named in receivers_of(tree.root))


def _answerer(root: Element, answerer: int | Receiver) -> tuple[WrittenAddress, ReceiverRole]:
    """Find the receiver that answers; who is both primary and copy receiver answers as primary."""
    found = [
        (written, named.role) for written, named in receivers_of(root) if answerer in (named, named.address.her_id)
    ]
    if not found:
        raise ValueError(f"{answerer} is no receiver of the message that is to be answered.")
    return min(found, key=lambda pair: pair[1] is not ReceiverRole.PRIMARY)


def _answering_role(version: str, role: ReceiverRole, original_type: str) -> tuple[str, str]:
    """Tell the role of the one who answers: PRIM or COP; in 1.0 REQ, SPR (who was asked for a service) or COP."""
    if role is ReceiverRole.COPY:
        return "COP", "Kopimottaker"
    if version == "1.1":
        return "PRIM", "Primærmottaker"
    return ("SPR", "") if original_type.partition("_")[0] in _REFERRALS else ("REQ", "")


def _moment(gen_date: str, otherwise: str) -> str:
    """Write the original's GenDate as the xs:dateTime that IssueDate must be: TS may be only a date, a month, a year.

    Where there is no date in it, IssueDate is the receipt's own time.
    """
    read = _MOMENT.fullmatch(gen_date)
    if read is None:
        return otherwise
    month, day, time = read["month"] or "-01", read["day"] or "-01", read["time"] or "T00:00:00"
    return f"{read['year']}{month}{day}{time}{read['zone'] or ''}"


class _Writer:
    """Writes elements in one version's namespace; what is empty is left out (HISD 1165: no empty elements)."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def root(self) -> Element:
        """Open the document."""
        return etree.Element(names.qualified(self._namespace, "AppRec"), nsmap={None: self._namespace})  # type: ignore[dict-item]

    def plain(self, parent: Element, name: str, value: str) -> None:
        """Write an element with a text."""
        if value:
            self._element(parent, name).text = value

    def coded(
        self, parent: Element, name: str, code: str, text: str = "", *, system: str = "", original_text: str = ""
    ) -> None:
        """Write a coded value (CS or CV): V, S, DN and OT."""
        values = ((names.V, code), (names.S, system), (names.DN, text), (names.OT, original_text))
        element = self._element(parent, name)
        for attribute_name, value in values:
            if value:
                element.set(attribute_name, value)

    def party(self, root: Element, name: str, role: tuple[str, str], written: WrittenAddress | None) -> None:
        """Write Sender or Receiver with the address data of the original."""
        element = self._element(root, name)
        self.coded(element, "Role", *role)
        hcp = self._element(element, "HCP")
        if written is None:
            self._element(hcp, "Inst")
            return
        outer, inner = written.outer, written.inner
        party = self._element(hcp, outer.kind)
        more = self._named(party, outer)
        if inner is not None and inner.kind == "Dept":
            self._inner(party, inner)
        self._additional_ids(party, more)
        if inner is not None and inner.kind == "HCPerson":
            self._inner(party, inner)
        self._address(hcp, written.postal)

    def original(self, root: Element, asked: Original, otherwise: str) -> None:
        """Name the message that is answered (HITS 1168 8.1: type, GenDate and MsgId of the original)."""
        element = self._element(root, "OriginalMsgId")
        title = attribute(asked.find(asked.layout.type), names.DN)
        self.coded(element, "MsgType", asked.envelope.type, title)
        self.plain(element, "IssueDate", _moment(asked.envelope.gen_date, otherwise))
        self.plain(element, "Id", asked.envelope.msg_id)

    def _element(self, parent: Element, name: str) -> Element:
        return etree.SubElement(parent, names.qualified(self._namespace, name))

    def _inner(self, institution: Element, level: Level) -> None:
        element = self._element(institution, level.kind)
        self._additional_ids(element, self._named(element, level))

    def _named(self, element: Element, level: Level) -> list[Ident]:
        """Write the name and the HER-id, or else the first identifier, and give back those that are left."""
        self.plain(element, "Name", level.name)
        idents = sorted(level.idents, key=lambda ident: ident.type != names.HER)
        if idents:
            self.plain(element, "Id", idents[0].id)
            self.coded(element, "TypeId", idents[0].type, idents[0].type_name)
        return idents[1:]

    def _additional_ids(self, element: Element, idents: list[Ident]) -> None:
        for ident in idents:
            additional = self._element(element, "AdditionalId")
            self._element(additional, "Id").text = ident.id
            self.coded(additional, "Type", ident.type, ident.type_name)

    def _address(self, hcp: Element, source: Element | None) -> None:
        """Write the postal address; without a type AppRec has no place for it."""
        parts = {names.local(tag): part for tag, part in first_of_each(source).items()}
        if "Type" not in parts:
            return
        address = self._element(hcp, "Address")
        for name, is_coded in _ADDRESS_PARTS.items():
            if name in parts and is_coded:
                self.coded(address, name, attribute(parts[name], names.V), attribute(parts[name], names.DN))
            elif name in parts:
                self.plain(address, name, text(parts[name]))
        self._telephones(address, source)

    def _telephones(self, address: Element, source: Element | None) -> None:
        for telephone in () if source is None else source.iterchildren("{*}TeleAddress"):
            self.coded(address, "TeleAddress", attribute(telephone, names.V))
