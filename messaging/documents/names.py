"""Every namespace and qualified name that the code itself reads or writes, once."""

from __future__ import annotations

MSGHEAD = "http://www.kith.no/xmlstds/msghead/2006-05-24"
"""MsgHead 1.2, the envelope (hodemelding, HIS 80601:2006)."""

APPREC_1_0 = "http://www.kith.no/xmlstds/apprec/2004-11-21"
APPREC_1_1 = "http://www.kith.no/xmlstds/apprec/2012-02-15"

EPIKRISE_1_1 = "http://www.kith.no/xmlstds/epikrise/2006-09-23"
EPIKRISE_1_2 = "http://www.kith.no/xmlstds/epikrise/2012-02-15"
HENVISNING_1_0 = "http://www.kith.no/xmlstds/henvisning/2005-07-08"
HENVISNING_1_1 = "http://www.kith.no/xmlstds/henvisning/2012-02-15"
"""Their root is Message, without MsgHead."""

XML_SCHEMA = "http://www.w3.org/2001/XMLSchema"
XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"
"""Signatures (W3C XML Signature)."""


def qualified(namespace: str, name: str) -> str:
    """Write a qualified name as lxml writes it: {namespace}name."""
    return f"{{{namespace}}}{name}" if namespace else name


def namespace_of(tag: str) -> str:
    """Read the namespace of a qualified name; empty when it has none."""
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""


def local(tag: str) -> str:
    """Read the local part of a qualified name."""
    return tag.rpartition("}")[2]


SIGNATURE = qualified(XMLDSIG, "Signature")
MSG_HEAD = qualified(MSGHEAD, "MsgHead")
MSG_INFO = qualified(MSGHEAD, "MsgInfo")
TYPE = qualified(MSGHEAD, "Type")
GEN_DATE = qualified(MSGHEAD, "GenDate")
MSG_ID = qualified(MSGHEAD, "MsgId")
PROCESSING_STATUS = qualified(MSGHEAD, "ProcessingStatus")
CONVERSATION_REF = qualified(MSGHEAD, "ConversationRef")
REF_TO_PARENT = qualified(MSGHEAD, "RefToParent")
REF_TO_CONVERSATION = qualified(MSGHEAD, "RefToConversation")
SENDER = qualified(MSGHEAD, "Sender")
RECEIVER = qualified(MSGHEAD, "Receiver")
OTHER_RECEIVER = qualified(MSGHEAD, "OtherReceiver")
ROLE_RECEIVER = qualified(MSGHEAD, "RoleReceiver")
ORGANISATION = qualified(MSGHEAD, "Organisation")
ORGANISATION_NAME = qualified(MSGHEAD, "OrganisationName")
HEALTHCARE_PROFESSIONAL = qualified(MSGHEAD, "HealthcareProfessional")
GIVEN_NAME = qualified(MSGHEAD, "GivenName")
MIDDLE_NAME = qualified(MSGHEAD, "MiddleName")
FAMILY_NAME = qualified(MSGHEAD, "FamilyName")
ADDRESS = qualified(MSGHEAD, "Address")
IDENT = qualified(MSGHEAD, "Ident")
ID = qualified(MSGHEAD, "Id")
TYPE_ID = qualified(MSGHEAD, "TypeId")
DOCUMENT = qualified(MSGHEAD, "Document")
REF_DOC = qualified(MSGHEAD, "RefDoc")
CONTENT = qualified(MSGHEAD, "Content")
BASE64_CONTAINER = "{http://www.kith.no/xmlstds/base64container}Base64Container"

# The same element has another namespace in each version of the payload's standard.
FELLES_ADMINISTRATIVE_OPPLYSNINGER = "FellesAdministrativeOpplysninger"
INFORMASJON_OM_FORSENDELSEN = "InformasjonOmForsendelsen"
FORSENDELSESSTATUS = "Forsendelsesstatus"
SERV_TYPE = "ServType"

# Attributes of the coded values (CS and CV) carry no namespace.
V = "V"
S = "S"
DN = "DN"
OT = "OT"
U = "U"
"""The unit of an amount (PQ)."""

LIST_OIDS = "2.16.578.1.12.4.1.1."
"""What the OID of every national code list begins with; the list's number follows."""

HER = "HER"
"""The code of a HER-id in lists 9051 (organisations) and 8116 (persons)."""
