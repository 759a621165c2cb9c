"""What an application receipt (AppRec) says, apart from how its XML says it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ERROR_CODES_OID = "2.16.578.1.12.4.1.1.8221"


class ReceiptStatus(StrEnum):
    """List 8258: 1 OK, 2 Avvist, 3 OK, feil i delmelding; named as EDI 2.0 names them."""

    OK = "Ok"
    REJECTED = "Rejected"
    OK_ERROR_IN_MESSAGE_PART = "OkErrorInMessagePart"

    @property
    def code(self) -> str:
        """The code of list 8258, as in AppRec/Status/@V."""
        return {"Ok": "1", "Rejected": "2", "OkErrorInMessagePart": "3"}[self.value]

    @property
    def text(self) -> str:
        """The Norwegian name, as in AppRec/Status/@DN."""
        return {"Ok": "OK", "Rejected": "Avvist", "OkErrorInMessagePart": "OK, feil i delmelding"}[self.value]

    @classmethod
    def of_code(cls, code: str) -> ReceiptStatus | None:
        """Read AppRec/Status/@V; None when the code is outside list 8258."""
        return {"1": cls.OK, "2": cls.REJECTED, "3": cls.OK_ERROR_IN_MESSAGE_PART}.get(code)


@dataclass(frozen=True, slots=True)
class ReceiptError:
    """One AppRec/Error: code (V), its list (S), its name (DN) and the free text (OT) for the sender's user."""

    code: str
    text: str = ""
    details: str = ""
    oid: str = ERROR_CODES_OID


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receiver answers about one message."""

    status: ReceiptStatus
    errors: tuple[ReceiptError, ...] = ()
    original_msg_id: str = ""
    original_type: str = ""
    original_gen_date: str = ""
