"""The log: one line of JSON for each event, with known fields only, so that nothing of a document can get into it."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import IntEnum
from types import TracebackType
from typing import Any, Literal, cast
from uuid import UUID

import structlog
from structlog.contextvars import bound_contextvars as about
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.typing import EventDict, WrappedLogger

from messaging.model.audit import AuditEvent
from messaging.model.log import FIELDS, LogEvent

__all__ = ["about", "dropped_fields", "logger_of", "write_to"]

Format = Literal["json", "console"]

_EVENTS = frozenset({*LogEvent, *AuditEvent})
_KNOWN_LIBRARIES = ("uvicorn", "messaging", "adapters")
"""Their lines without values are sentences; another library may have written a value into its words."""
_LONGEST = 300
_MOST_FRAMES = 30
_MOST_CAUSES = 8


class _Dropped:
    count = 0


def dropped_fields() -> int:
    """Count the fields that lines of this process carried beyond the known ones, and that were left out."""
    return _Dropped.count


def logger_of(name: str) -> BoundLogger:
    """Give a module its logger; its lines are safe before anything is configured, and whoever formats them."""
    processors: list[Any] = [
        structlog.stdlib.filter_by_level,
        structlog.contextvars.merge_contextvars,
        _tell_error,
        _keep_known,
        ProcessorFormatter.wrap_for_formatter,
    ]
    wrapped = structlog.wrap_logger(logging.getLogger(name), processors=processors, wrapper_class=BoundLogger)
    return cast("BoundLogger", wrapped)


def write_to(stream: Any, *, level: str, form: Format | None) -> None:
    """Write every line of this process, the libraries' too, to a stream: JSON, or for people (None: at a terminal)."""
    if form is None:
        form = "console" if stream.isatty() else "json"
    logging.captureWarnings(capture=True)
    written = logging.StreamHandler(stream)
    written.setFormatter(formatter(form, colors=stream.isatty()))
    logging.basicConfig(level=level.upper(), handlers=[written], force=True)


def formatter(form: Format, *, colors: bool = False) -> logging.Formatter:
    """Make what turns a record, of ours or of a library, into one line."""
    last: Any = (
        structlog.processors.JSONRenderer(sort_keys=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False)
    )
    return ProcessorFormatter(
        foreign_pre_chain=[_tell_library, _tell_error, _keep_known],
        pass_foreign_args=True,
        processors=[_tell_when, ProcessorFormatter.remove_processors_meta, last],
    )


def _tell_when(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    record: logging.LogRecord = line["_record"]
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return {"at": at, "level": record.levelname.lower(), "logger": _inert(record.name), **line}


def _tell_library(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Take the words of a library's line and the place, never the values; an adapter's `extra` is known fields."""
    record: logging.LogRecord = line["_record"]
    given = {name: value for name, value in vars(record).items() if name in FIELDS}
    has_values = bool(line.pop("positional_args", None))
    told: EventDict = {**line, **given, "event": LogEvent.LIBRARY, "place": f"{record.module}:{record.lineno}"}
    if has_values or record.name.partition(".")[0] in _KNOWN_LIBRARIES:
        told["template"] = str(record.msg).partition("\n")[0]
    return told


def _tell_error(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Tell an exception by its type, its code and its places in the code; its words and variables may hold content."""
    given = line.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        causes = list(_behind(error))
        line["error"] = _type_of(error)
        line["trace"] = _places(error.__traceback__)
        line["causes"] = [_type_of(cause) for cause in causes]
        line["code"] = next((code for one in (error, *causes) if (code := _code_of(one))), "")
    return line


def _behind(error: BaseException) -> Iterator[BaseException]:
    seen = {id(error)}
    waiting = [error]
    while waiting and len(seen) <= _MOST_CAUSES:
        one = waiting.pop()
        inner = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        for cause in (one.__cause__ or (None if one.__suppress_context__ else one.__context__), *inner):
            if cause is not None and id(cause) not in seen:
                seen.add(id(cause))
                waiting.append(cause)
                yield cause


def _type_of(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _code_of(error: BaseException) -> str:
    found = (getattr(error, name, None) for name in ("sqlstate", "sqlite_errorname", "errno"))
    return next((str(code) for code in found if isinstance(code, str | int)), "")


def _places(trace: TracebackType | None) -> list[str]:
    frames = [
        f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(trace)
    ]
    return frames[-_MOST_FRAMES:]


def _keep_known(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Keep known events and fields, as plain values; anything else is left out, and counted."""
    event = line.pop("event", "")
    kept: EventDict = {"event": str(event) if event in _EVENTS else LogEvent.UNNAMED.value}
    dropped = 0
    for name, value in line.items():
        if name in FIELDS:
            kept[name] = _plain(value)
        elif name in ("_record", "_from_structlog"):
            kept[name] = value
        else:
            dropped += 1
    if dropped:
        kept["dropped"] = dropped
        _Dropped.count += dropped
    return kept


def _plain(value: object) -> Any:
    """Give a value as JSON has it; of what is no plain value only its type."""
    match value:
        case None | bool() | float() | int():
            return int(value) if isinstance(value, IntEnum) else value
        case str():
            return _inert(value)
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat()
        case list() | tuple():
            return [_plain(one) for one in value]
        case _:
            return type(value).__name__


def _inert(text: str) -> str:
    """Make a text one line without control characters, so that it can forge no line and steer no terminal."""
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return short if short.isprintable() else short.encode("unicode_escape").decode("ascii")
