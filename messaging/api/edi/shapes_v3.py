"""The JSON of EDI 2.0, version 3, by the names that its documents use."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from messaging.api.edi.both import AppRecError, AppRecErrorAsked, Base64, ContentType, Encoding
from messaging.api.shapes import Asked, Flag, HerIdInBody, Name, Told, Unique
from messaging.model.lifecycle import TransportState
from messaging.model.notification import NotificationType
from messaging.model.receipt import ReceiptStatus


class MessageTransportMetadataOverrides(Asked):
    """What ebXML would be told; taken and not used: nothing here travels by ebXML."""

    cpa_id: Name | None = None
    conversation_id: Name | None = None
    service: Name | None = None
    service_type: Name | None = None
    action: Name | None = None
    sender_role: Name | None = None
    receiver_role: Name | None = None
    middleware_name: Name | None = None
    middleware_version: Name | None = None
    compress_payload: Flag | None = None


class AppRecTransportMetadataOverrides(MessageTransportMetadataOverrides):
    """The same for an AppRec, which may also name other transport addresses; taken and not used."""

    transport_sender_her_id: HerIdInBody | None = None
    transport_receiver_her_id: HerIdInBody | None = None


class PostMessageRequest(Asked):
    """A document, and what is said beside it; the two must agree."""

    business_document: Base64
    sender_her_id: HerIdInBody
    receiver_her_ids: Annotated[list[HerIdInBody], Field(min_length=1, max_length=1500)]
    content_type: ContentType
    content_transfer_encoding: Encoding
    message_type_identificator: Annotated[Name, Field(min_length=1, description="A code of list 8279")]
    application_name: Name
    application_version: Name
    transport_metadata_overrides: MessageTransportMetadataOverrides | None = None


class PostMessageResponse(Told):
    """The id under which the message is kept."""

    id: UUID


class PostAppRecRequest(Asked):
    """What a receiver answers."""

    app_rec_sender_her_id: HerIdInBody
    app_rec_status: ReceiptStatus
    app_rec_error_list: Annotated[list[AppRecErrorAsked], Field(max_length=50)] | None = None
    application_name: Name
    application_version: Name
    transport_metadata_overrides: AppRecTransportMetadataOverrides | None = None


class PostApprecResponse(Told):
    """The id of the AppRec, which is a message too."""

    id: UUID


class GetMessageResponse(Told):
    """What a message's document says of itself; GenDate is the document's own text."""

    id: UUID
    sender_her_id: int
    receiver_her_ids: list[int]
    business_document_id: str
    business_document_gen_date: str
    business_document_msg_type: str
    content_type: str = "application/xml"


class ApprecInfo(Told):
    """What a receiver has answered."""

    app_rec_status: ReceiptStatus
    app_rec_error_list: list[AppRecError]
    app_rec_id: UUID | None


class StatusInfo(Told):
    """How a message stands with one receiver."""

    receiver_her_id: int
    transport_delivery_state: TransportState
    sent: bool
    apprec_info: ApprecInfo | None


class GetStatusResponse(Told):
    """One row for each receiver."""

    status_list: list[StatusInfo]


class MarkAsDownloadedRequest(Asked):
    """The receiver that has the document safely."""

    receiver_her_id: HerIdInBody


class UnreadNotification(Told):
    """One thing that a party is told about."""

    notification_id: UUID
    related_message_id: UUID | None
    type: NotificationType
    notification_receiver_her_id: int
    notification_triggered_by_her_id: int | None
    description: str | None
    created_at: datetime


class Notification(UnreadNotification):
    """The same with its place in the log."""

    offset: int


class GetNotificationsResponse(Told):
    """A piece of the log."""

    notifications: list[Notification]


class GetUnreadNotificationsResponse(Told):
    """The oldest of what has not been deleted."""

    unread_notifications: list[UnreadNotification]


class DeleteNotificationsRequest(Asked):
    """What has been processed."""

    notification_ids: Annotated[list[UUID], Field(max_length=1000, json_schema_extra={"uniqueItems": True}), Unique]


class RejectMessageFilters(Asked):
    """Codes of list 8279 that the party does not take."""

    message_function: Annotated[list[Name], Field(max_length=1000)] | None = Field(
        default=None, alias="MessageFunction"
    )


class MshConfiguration(Asked):
    """One party's whole configuration; what is left out takes its default."""

    her_id: HerIdInBody
    receive_notification_channel: Literal["Api"]
    client_locked: Flag | None = None
    reject_message_filters: RejectMessageFilters | None = None


class SetMshConfigurationsRequest(Asked):
    """The configurations to set, each party once."""

    configurations: Annotated[list[MshConfiguration], Field(max_length=1500)]


class PingResponse(Told):
    """Pong."""

    response: Literal["Pong"] = "Pong"
    timestamp_utc: datetime
