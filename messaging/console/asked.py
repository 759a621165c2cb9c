"""What the address bar asks for: a search that can be sent to somebody else, and so never holds a patient's number."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlencode

from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator

from messaging.console.noted import names_patient
from messaging.console.page import ROOT
from messaging.console.times import OSLO

LONGEST = 200

NO_NUMBER = r"(?!(.*[^0-9A-Za-z\-])?\d{6}[ .\-]?\d{5}([^0-9A-Za-z\-].*)?$).*"
"""What a browser lets into a field of the address: nothing that may be a national number."""


class Asked(BaseModel):
    """The filters of a list; a field that was left empty asks for nothing, and a time without offset is Norwegian."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    cursor: str | None = Field(None, max_length=LONGEST)
    lang: str | None = None
    refused: Literal["number"] | None = None
    """Why the page before sent the browser here."""

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_nothing(cls, value: Any) -> Any:
        return (value.strip() or None) if isinstance(value, str) else value

    @field_validator("*", mode="after")
    @classmethod
    def _norwegian_time(cls, value: Any) -> Any:
        return value.replace(tzinfo=OSLO) if isinstance(value, datetime) and value.tzinfo is None else value

    @property
    def told(self) -> dict[str, Any]:
        """The filters that ask for something, as they stand in the address."""
        return self.model_dump(mode="json", by_alias=True, exclude={"cursor", "lang", "refused"}, exclude_defaults=True)

    def address(self, path: str, **more: str) -> str:
        """Write the address that asks for the same, from the newest on."""
        query = urlencode({**self.told, **more})
        return f"{ROOT}{path}?{query}" if query else f"{ROOT}{path}"

    def without_numbers(self, path: str) -> RedirectResponse | None:
        """Lead from an address with what may be a national number to the same one without it; None when it has none.

        An address stays in histories and in the logs of others; a patient is looked for by a form, which is posted.
        """
        told = self.told
        numbers = {name for name, value in told.items() if isinstance(value, str) and names_patient(value)}
        if not numbers:
            return None
        rest = type(self).model_validate({name: value for name, value in told.items() if name not in numbers})
        return RedirectResponse(rest.address(path, refused="number"), HTTPStatus.SEE_OTHER)


def local(moment: datetime | None) -> str:
    """Write a moment as a browser's field for date and time has it."""
    return moment.astimezone(OSLO).strftime("%Y-%m-%dT%H:%M") if moment else ""
