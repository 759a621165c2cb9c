"""The operator's limits on what a document may hold, each with its default; docs/limits.md is made from this."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from messaging.model.limits import DEEPEST, Limits

_GIVEN = Limits()


class LimitSettings(BaseModel):
    """The table `limits`: what is not set stays as it comes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encodings: tuple[Literal["utf-8", "iso-8859-1"], ...] = Field(
        ("utf-8", "iso-8859-1"), min_length=1, description="The encodings that are read; the standards allow these two"
    )
    prolog_bytes: int = Field(
        _GIVEN.prolog_bytes, ge=128, description="Bytes before the root element: XML declaration, comments"
    )
    stylesheets: bool = Field(
        _GIVEN.stylesheets, description="Whether a document may name a stylesheet (xml-stylesheet); none is ever used"
    )
    depth: int = Field(_GIVEN.depth, ge=16, le=DEEPEST - 1, description="How deep elements may be nested")
    elements: int = Field(_GIVEN.elements, ge=100, le=2_000_000, description="Elements in a document")
    children: int = Field(
        _GIVEN.children,
        ge=100,
        le=100_000,
        description="Elements directly in one element; the cost of judging wrong ones grows with their square",
    )
    attributes: int = Field(_GIVEN.attributes, ge=8, le=10_000, description="Attributes of one element")
    attributes_in_all: int = Field(
        _GIVEN.attributes_in_all, ge=100, le=10_000_000, description="Attributes in a document"
    )
    declarations: int = Field(
        _GIVEN.declarations, ge=8, le=1_000, description="Namespaces that one element may declare"
    )
    remarks: int = Field(
        _GIVEN.remarks, ge=0, le=100_000, description="Comments and processing instructions in a document, counted as "
        "`<!--` and `<?`"
    )  # fmt: skip
    name_characters: int = Field(
        _GIVEN.name_characters, ge=64, le=10_000, description="Characters of an element's or attribute's name"
    )
    text_characters: int = Field(
        _GIVEN.text_characters,
        ge=1_000,
        description="Characters of one text or attribute; the Base64 of an attachment is bounded by the document alone",
    )
    attachment_bytes: int = Field(
        _GIVEN.attachment_bytes, ge=0, description="Bytes of one attachment, decoded (rule `attachment-limit`)"
    )
    attachments_bytes: int = Field(
        _GIVEN.attachments_bytes,
        ge=0,
        description="Bytes of all attachments together, decoded; more gives a warning (rule `attachment-size`)",
    )
    attachment_types: frozenset[Annotated[str, Field(pattern=r"^[a-z]+/[a-z0-9.+-]+$")]] = Field(
        _GIVEN.attachment_types, description="The MIME types of attachments that are taken (rule `attachment-type`)"
    )

    def limits(self, *, document_bytes: int) -> Limits:
        """Give the limits as one value."""
        return Limits(document_bytes=document_bytes, **self.model_dump())
