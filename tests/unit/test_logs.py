"""The log says known things only: one inert line for each event, whoever wrote it."""

from __future__ import annotations

import ast
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import pytest

from messaging import logs
from messaging.errors import DatabaseUnavailable
from messaging.logs import about, dropped_fields, formatter, logger_of
from messaging.model.audit import AuditEvent
from messaging.model.log import FIELDS, LogEvent

ROOT = Path(__file__).parents[2]
CANARY = "Kanarifugl Sørgård"
HOSTILE = "a\r\nb\x1b[31mc\x9b2Jd\u2028e\u202ef\0"
PLACES = {"messaging/logs.py", "messaging/flow/anchors.py"}
"""Where the library of the standard library may be named: our log, and the way to a system log."""


@contextmanager
def written(name: str, form: Literal["json", "console"] = "json") -> Iterator[io.StringIO]:
    """Collect what one logger writes, as `serve` would write it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(form))
    log = logging.getLogger(name)
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        yield stream
    finally:
        log.removeHandler(handler)
        log.propagate = True
        log.setLevel(logging.NOTSET)


def one_line(stream: io.StringIO) -> dict[str, Any]:
    [line] = stream.getvalue().splitlines()
    told: dict[str, Any] = json.loads(line)
    return told


def fail(text: str) -> None:
    kept_nowhere = text
    raise ValueError(kept_nowhere)


def test_a_line_is_json_with_its_time_level_event_and_fields() -> None:
    known = UUID("5f5e94d5-d908-476b-a172-a241c52eddb6")
    with written("messaging.x") as stream, about(request_id="r1"):
        logger_of("messaging.x").warning(
            AuditEvent.UNSEALED, count=3, since=datetime(2026, 3, 9, tzinfo=UTC), message_id=known, numbers=[1, 2]
        )
    told = one_line(stream)
    assert datetime.fromisoformat(told.pop("at")).tzinfo is not None
    assert told == {
        "level": "warning",
        "logger": "messaging.x",
        "event": "alarm.audit_unsealed",
        "request_id": "r1",
        "count": 3,
        "since": "2026-03-09T00:00:00+00:00",
        "message_id": str(known),
        "numbers": [1, 2],
    }


def test_an_unknown_field_is_dropped_and_counted_and_an_unknown_event_is_not_repeated() -> None:
    before = dropped_fields()
    with written("messaging.x") as stream:
        logger_of("messaging.x").info(CANARY, patient=CANARY, her_id=8110001, reason=[{"name": CANARY}])
    assert CANARY.partition(" ")[0] not in stream.getvalue()
    told = one_line(stream)
    assert (told["event"], told["dropped"], told["her_id"], told["reason"]) == ("unnamed", 1, 8110001, ["dict"])
    assert dropped_fields() == before + 1


@pytest.mark.parametrize("name", ["sqlalchemy.engine", "uvicorn.error", "messaging.x"])
def test_a_librarys_values_are_left_out(name: str) -> None:
    with written(name) as stream:
        logging.getLogger(name).info("got %s from %s", CANARY, {"a": CANARY})
    assert "Kanari" not in stream.getvalue()
    told = one_line(stream)
    assert (told["event"], told["template"]) == ("library", "got %s from %s")
    assert told["place"].startswith("test_logs:")


def test_words_without_values_are_believed_to_be_a_sentence_only_of_libraries_that_we_know() -> None:
    for name, template in (("asyncio", None), ("uvicorn.error", "Waiting."), ("adapters.file_drop", "Waiting.")):
        with written(name) as stream:
            logging.getLogger(name).error(f"Waiting.\nfuture: {CANARY}")  # noqa: G004 - what must not be believed
        assert one_line(stream).get("template") == template
        assert "Kanari" not in stream.getvalue()


def test_an_adapters_extra_fields_are_known_fields_too() -> None:
    with written("adapters.x") as stream:
        logging.getLogger("adapters.x").warning("a file waits", extra={"adapter": "homecare", "patient": CANARY})
    told = one_line(stream)
    assert (told["template"], told["adapter"]) == ("a file waits", "homecare")
    assert "Kanari" not in stream.getvalue()


def ours(name: str) -> Callable[[], None]:
    return lambda: logger_of(name).exception(LogEvent.REQUEST_FAILED)


def theirs(name: str) -> Callable[[], None]:
    return lambda: logging.getLogger(name).error("it failed with %s", CANARY, exc_info=True)  # noqa: LOG014 - it is called within one


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("writer", [ours, theirs])
def test_an_exception_is_told_by_type_place_and_code_and_never_by_its_words_or_variables(
    writer: Callable[[str], Callable[[], None]], form: Literal["json", "console"]
) -> None:
    with written("messaging.x", form) as stream:
        try:
            try:
                fail(CANARY)
            except ValueError as error:
                error.add_note(CANARY)
                raise DatabaseUnavailable(CANARY) from ExceptionGroup(CANARY, [error, OSError(28, CANARY)])
        except DatabaseUnavailable:
            writer("messaging.x")()
    text = stream.getvalue()
    assert "Kanari" not in text
    assert str(ROOT) not in text
    if form == "json":
        told = one_line(stream)
        assert told["error"] == "messaging.errors.DatabaseUnavailable"
        assert told["causes"] == ["builtins.ExceptionGroup", "builtins.ValueError", "builtins.OSError"]
        assert told["code"] == "28"
        assert [place.partition(":")[0] for place in told["trace"]] == [__name__]


def test_a_chain_of_causes_without_an_end_is_told_in_part() -> None:
    one, two = ValueError(), KeyError()
    one.__cause__, two.__cause__ = two, one
    with written("messaging.x") as stream:
        logger_of("messaging.x").error(LogEvent.REQUEST_FAILED, exc_info=one)
    assert one_line(stream)["causes"] == ["builtins.KeyError"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a13_whatever_a_value_holds_it_stays_one_line_and_steers_no_terminal(form: Literal["json", "console"]) -> None:
    with written("messaging.x", form) as stream:
        logger_of("messaging.x").info(LogEvent.STREAM_ENDED, reason=HOSTILE, client_id=HOSTILE * 100)
        logging.getLogger("messaging.x").error(HOSTILE)
    text = stream.getvalue()
    assert [len(text.splitlines()), text.count("\n")] == [2, 2]
    assert all(char.isprintable() for char in text.replace("\n", ""))
    assert len(text) < 3000


def test_warnings_go_the_same_way() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers[:] = []
    try:
        logs.write_to(stream, level="info", form=None)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(CANARY, stacklevel=1)
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:], root.level = before
    assert one_line(stream)["event"] == "library"
    assert "Kanari" not in stream.getvalue()


def calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted((ROOT / "messaging").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if isinstance(owner, ast.Name) and owner.id == "logger":
                    yield f"{name}:{node.lineno}", node


def test_every_line_names_an_event_of_the_list_and_known_fields() -> None:
    found = list(calls())
    assert len(found) > 10
    for place, call in found:
        [event] = call.args
        listed = isinstance(event, ast.Attribute) and ast.unparse(event.value) in ("LogEvent", "AuditEvent")
        assert listed or ast.unparse(event) == "event", place
        assert {keyword.arg for keyword in call.keywords} - FIELDS - {"exc_info", None} == set(), place


def test_no_event_of_the_list_is_without_use() -> None:
    text = "".join(path.read_text("utf-8") for path in (ROOT / "messaging").rglob("*.py"))
    assert [event for event in LogEvent if f"LogEvent.{event.name}" not in text] == []


def test_nothing_else_writes_to_the_log() -> None:
    users = set()
    for path in (ROOT / "messaging").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] in ("logging", "structlog") for name in named):
                users.add(path.relative_to(ROOT).as_posix())
    assert users == PLACES
