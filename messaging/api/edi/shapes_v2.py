"""The JSON of EDI 2.0, version 2, by the names that Norsk Helsenett's own OpenAPI file uses."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from messaging.api.edi.both import AppRecError, AppRecErrorAsked, Base64, ContentType, Encoding
from messaging.api.shapes import Asked, Flag, HerIdInBody, Name, Told
from messaging.model.receipt import ReceiptStatus


class DeliveryState(StrEnum):
    """Version 2 knows no Abandoned."""

    UNCONFIRMED = "Unconfirmed"
    ACKNOWLEDGED = "Acknowledged"
    REJECTED = "Rejected"


class OrderBy(StrEnum):
    """By GenDate; the file names the values and shows the numbers, so that both are taken."""

    ASCENDING = "Ascending"
    DESCENDING = "Descending"
    ASCENDING_NUMBER = "1"
    DESCENDING_NUMBER = "2"


class EbXmlInfo(Asked):
    """What ebXML would be told; of it only the application's name and version are used, in an AppRec."""

    cpa_id: Name | None = None
    conversation_id: Name | None = None
    service: Name | None = None
    service_type: Name | None = None
    action: Name | None = None
    sender_role: Name | None = None
    use_sender_level1_her_id: Annotated[Flag | None, Field(alias="useSenderLevel1HerId")] = None
    receiver_role: Name | None = None
    application_name: Name | None = None
    application_version: Name | None = None
    middleware_name: Name | None = None
    middleware_version: Name | None = None
    compress_payload: Flag | None = None


class PostMessageRequest(Asked):
    """A document; sender and receivers are read from it."""

    business_document: Base64
    content_type: ContentType
    content_transfer_encoding: Encoding
    eb_xml_overrides: EbXmlInfo | None = None
    receiver_her_ids_subset: Annotated[list[HerIdInBody], Field(max_length=1500)] | None = None


class PostAppRecRequest(Asked):
    """What a receiver answers."""

    app_rec_status: ReceiptStatus
    app_rec_error_list: Annotated[list[AppRecErrorAsked], Field(max_length=50)] | None = None
    eb_xml_overrides: EbXmlInfo | None = None


class Message(Told):
    """One message to one receiver; without metadata only the two ids are there."""

    id: UUID
    content_type: str | None = None
    receiver_her_id: int
    sender_her_id: int | None = None
    business_document_id: str | None = None
    business_document_gen_date: str | None = None
    is_app_rec: bool | None = None


class StatusInfo(Told):
    """How a message stands with one receiver."""

    receiver_her_id: int
    transport_delivery_state: DeliveryState
    app_rec_status: ReceiptStatus | None


class ApprecInfo(Told):
    """What a receiver has answered; null where nothing came yet."""

    receiver_her_id: int
    app_rec_status: ReceiptStatus | None
    app_rec_error_list: list[AppRecError] | None
