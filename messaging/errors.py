"""What we, the operator or the infrastructure can get wrong.

SamhandlingError
├── ConfigurationError        the operator's settings cannot be used: a refused start
├── Unavailable               the exchange cannot keep its promise just now: 503, the caller repeats safely
│   ├── DatabaseUnavailable   the database does not answer, or its answer was lost
│   │   └── TransactionConflict   two transactions stood in each other's way, and this one was undone
│   ├── TooSlow               a page's question took longer than anybody waits for a page
│   ├── StorageFull           the disk's reserve is reached
│   ├── NotReady              a message could not be taken in now, for these reasons
│   ├── DocumentDamaged       what is kept of a document is not what was written
│   └── Busy                  as many large requests are under way as the memory holds
└── CallerError               the caller asked for something it may not have
    ├── InvalidRequest        the request's own form is wrong
    ├── Unauthenticated       nobody we know
    ├── Forbidden             somebody we know, who may not do this
    ├── NotFound              not there, or not the caller's to see: the two are told alike
    ├── Locked                the HER-id is reserved for another client
    ├── TooManyRequests       faster than the caller's share, or too many who cannot say who they are
    ├── Conflict              the same MsgId with other bytes
    └── Refused               the document has faults

A fault in a document and an outcome of a delivery are values, and not found here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class SamhandlingError(Exception):
    """Something went wrong in a way that we have a word for."""


class ConfigurationError(SamhandlingError):
    """A setting cannot be used; the message says which, why and what to do."""


class Unavailable(SamhandlingError):
    """The exchange cannot keep its promise just now; the caller may repeat safely after `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DatabaseUnavailable(Unavailable):
    """The database does not answer, or its answer was lost on the way."""


class TransactionConflict(DatabaseUnavailable):
    """Two transactions stood in each other's way, and this one was undone; nothing of it was kept."""


class TooSlow(Unavailable):
    """A page's question took longer than anybody waits for a page, and was broken off."""


class StorageFull(Unavailable):
    """The disk's reserve is reached; nothing more is taken in until there is room."""


class NotReady(Unavailable):
    """A message could not be taken in now; `reasons` has a sentence for each thing that stands in its way."""

    def __init__(self, reasons: Sequence[str], *, retry_after: int = 5) -> None:
        super().__init__("The exchange could not take a message in now.", retry_after=retry_after)
        self.reasons = tuple(reasons)


class DocumentDamaged(Unavailable):
    """What is kept of a document is not what was written; it is never given out, and a restore may bring it back."""

    def __init__(self, message: str, *, retry_after: int = 3600) -> None:
        super().__init__(message, retry_after=retry_after)


class Busy(Unavailable):
    """As many large requests are under way as the memory holds."""


class CallerError(SamhandlingError):
    """The caller asked for something it may not have; `code` is the number that EDI 2.0 gives it."""

    code: int = 1001

    def __init__(self, message: str, *, code: int | None = None, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.code = code if code is not None else type(self).code
        self.details = tuple(details)


class InvalidRequest(CallerError):
    """The request's own form is wrong; `details` names each field."""


class Unauthenticated(CallerError):
    """Nothing that the call carries tells who calls; `challenges` say how one can (WWW-Authenticate).

    `error` is what the protocol of a `scheme` calls the mistake, such as `invalid_dpop_proof`.
    """

    code = 1200

    def __init__(self, message: str, *, scheme: str = "", error: str = "") -> None:
        super().__init__(message)
        self.scheme, self.error = scheme, error
        self.challenges: tuple[str, ...] = ()


class Forbidden(CallerError):
    """The caller is known, and may not do this."""

    code = 1202


class NotFound(CallerError):
    """It is not there, or it is not the caller's to see."""

    code = 1010


class Locked(CallerError):
    """HER-ids are reserved for another client."""

    code = 1210

    def __init__(self, message: str, *, her_ids: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.her_ids = tuple(her_ids)


class TooManyRequests(CallerError):
    """The caller asks faster than its share; the next request may come after `retry_after` seconds."""

    code = 429

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Conflict(CallerError):
    """The same sender has already sent this MsgId with other bytes."""

    code = 1002


class Refused(CallerError):
    """The document was judged and has faults; it stays in the transport log under `refusal_id`."""

    def __init__(
        self, message: str, *, faults: Sequence[object], refusal_id: str | None = None, code: int = 1001
    ) -> None:
        super().__init__(message, code=code)
        self.faults = tuple(faults)
        self.refusal_id = refusal_id
