"""Writing an application receipt (AppRec 1.0 and 1.1, HIS 80415) that answers a MsgHead; envelope.py reads one."""

from __future__ import annotations

from lxml import etree

from messaging.documents import names
from messaging.documents.envelope import name_of, receivers_of, second_level
from messaging.documents.reader import Element, read
from messaging.documents.tree import attribute, child, elements, text
from messaging.errors import InvalidRequest
from messaging.model.faults import Fault
from messaging.model.message import ReceiverRole
from messaging.model.receipt import Receipt

_NAMESPACES = {"1.0": names.APPREC_1_0, "1.1": names.APPREC_1_1}
_MIG_VERSIONS = {"1.0": "1.0 2004-11-21", "1.1": "v1.1 2012-02-15"}
_RECEIVER_ROLES = {"1.0": ("RECEIVER", ""), "1.1": ("AVS", "Avsender")}
"""The role of the one who gets the receipt, who sent the original."""
_ADDRESS_PARTS = ("Type", "StreetAdr", "PostalCode", "City", "County", "Country")
_REFERRALS = ("HENVISNING", "H")


def write_apprec(
    original: bytes,
    receipt: Receipt,
    *,
    version: str,
    answerer: int,
    msg_id: str,
    gen_date: str,
    software: str = "",
    software_version: str = "",
) -> bytes:
    """Write the AppRec by which one receiver answers a message, in UTF-8.

    `original` is the message as it was received, a MsgHead; `version` 1.0 or 1.1; `answerer` the HER-id of the receiver
    that answers. Addresses are mirrored: the receiver becomes the sender (HIS 80415 3.5). What the receipt says of the
    original is read from the original itself. Raises InvalidRequest when a text of the receipt holds characters that
    XML cannot carry, and ValueError when the original has no such receiver.
    """
    info = _msg_info(original)
    sender, role = _answerer(info, answerer)
    writer = _Writer(_NAMESPACES[version])
    try:
        root = writer.root()
        writer.coded(root, "MsgType", "APPREC", "Applikasjonskvittering")
        writer.plain(root, "MIGversion", _MIG_VERSIONS[version])
        writer.plain(root, "SoftwareName", software)
        writer.plain(root, "SoftwareVersion", software_version)
        writer.plain(root, "GenDate", gen_date)
        writer.plain(root, "Id", msg_id)
        writer.party(root, "Sender", _answering_role(version, role, info), sender)
        writer.party(root, "Receiver", _RECEIVER_ROLES[version], child(info, names.SENDER, names.ORGANISATION))
        writer.coded(root, "Status", receipt.status.code, receipt.status.text)
        for error in receipt.errors:
            writer.coded(root, "Error", error.code, error.text, system=error.oid, original_text=error.details)
        writer.original(root, info)
    except ValueError as error:
        raise InvalidRequest(
            "The receipt's texts hold a character that XML cannot carry.",
            details=["remove control characters from the errors' texts and the software's name"],
        ) from error
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _msg_info(original: bytes) -> Element:
    tree = read(original)
    info = None if isinstance(tree, Fault) or tree.root.tag != names.MSG_HEAD else child(tree.root, names.MSG_INFO)
    if info is None:
        raise ValueError("Only a readable MsgHead can be answered with an AppRec.")
    return info


def _answerer(info: Element, her_id: int) -> tuple[Element, ReceiverRole]:
    """Find the receiver that answers; who is both primary and copy receiver answers as primary."""
    found = [(element, receiver.role) for element, receiver in receivers_of(info) if receiver.address.her_id == her_id]
    if not found:
        raise ValueError(f"HER-id {her_id} is no receiver of the message that is to be answered.")
    return min(found, key=lambda pair: pair[1] is not ReceiverRole.PRIMARY)


def _answering_role(version: str, role: ReceiverRole, info: Element) -> tuple[str, str]:
    """Tell the role of the one who answers: PRIM or COP; in 1.0 REQ, SPR (who was asked for a service) or COP."""
    if role is ReceiverRole.COPY:
        return "COP", "Kopimottaker"
    if version == "1.1":
        return "PRIM", "Primærmottaker"
    referral = attribute(child(info, names.TYPE), names.V).split("_")[0] in _REFERRALS
    return ("SPR", "") if referral else ("REQ", "")


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

    def party(self, root: Element, name: str, role: tuple[str, str], organisation: Element | None) -> None:
        """Write Sender or Receiver with the address data of an Organisation of the original."""
        element = self._element(root, name)
        self.coded(element, "Role", *role)
        hcp = self._element(element, "HCP")
        institution = self._element(hcp, "Inst")
        if organisation is None:
            return
        self.plain(institution, "Name", name_of(organisation))
        more = self._first_id(institution, organisation)
        inner = second_level(organisation)
        if inner is not None and inner.tag == names.ORGANISATION:
            self._inner(institution, "Dept", inner)
        self._additional_ids(institution, more)
        if inner is not None and inner.tag == names.HEALTHCARE_PROFESSIONAL:
            self._inner(institution, "HCPerson", inner)
        self._address(hcp, child(organisation, names.ADDRESS))

    def original(self, root: Element, info: Element) -> None:
        """Name the message that is answered (HITS 1168 8.1: type, GenDate and MsgId of the original)."""
        kind = child(info, names.TYPE)
        element = self._element(root, "OriginalMsgId")
        self.coded(element, "MsgType", attribute(kind, names.V), attribute(kind, names.DN))
        self.plain(element, "IssueDate", text(child(info, names.GEN_DATE)))
        self.plain(element, "Id", text(child(info, names.MSG_ID)))

    def _element(self, parent: Element, name: str) -> Element:
        return etree.SubElement(parent, names.qualified(self._namespace, name))

    def _inner(self, institution: Element, name: str, source: Element) -> None:
        element = self._element(institution, name)
        self.plain(element, "Name", name_of(source))
        self._additional_ids(element, self._first_id(element, source))

    def _first_id(self, element: Element, source: Element) -> list[Element]:
        """Write the HER-id, or else the first identifier, and give back those that are left."""
        idents = sorted(source.iterchildren(names.IDENT), key=lambda ident: _type_of(ident) != names.HER)
        if idents:
            self.plain(element, "Id", text(child(idents[0], names.ID)))
            self._id_type(element, "TypeId", idents[0])
        return idents[1:]

    def _additional_ids(self, element: Element, idents: list[Element]) -> None:
        for ident in idents:
            additional = self._element(element, "AdditionalId")
            self._element(additional, "Id").text = text(child(ident, names.ID))
            self._id_type(additional, "Type", ident)

    def _id_type(self, element: Element, name: str, ident: Element) -> None:
        self.coded(element, name, _type_of(ident), attribute(child(ident, names.TYPE_ID), names.DN))

    def _address(self, hcp: Element, source: Element | None) -> None:
        """Write the postal address; without a type AppRec has no place for it."""
        parts = {} if source is None else {names.local(str(part.tag)): part for part in elements(source)}
        if "Type" not in parts:
            return
        address = self._element(hcp, "Address")
        for name in _ADDRESS_PARTS:
            if name in parts and parts[name].attrib:
                self.coded(address, name, attribute(parts[name], names.V), attribute(parts[name], names.DN))
            elif name in parts:
                self.plain(address, name, text(parts[name]))


def _type_of(ident: Element) -> str:
    return attribute(child(ident, names.TYPE_ID), names.V)
