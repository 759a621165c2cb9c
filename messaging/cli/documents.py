"""Judging documents from the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from messaging.documents import Catalogue, Validator, Verdict
from messaging.flow import judge

_REFUSED = 1
_UNREADABLE = 2


class Report(StrEnum):
    """How verdicts are printed."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


def validate(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE|DIR...", help="XML files, or folders of them.")],
    *,
    schema_only: Annotated[
        bool, typer.Option("--schema-only", help="Judge form and schema, and hold no rule.")
    ] = False,
    form: Annotated[Report, typer.Option("--format", help="Text for people, JSON for scripts.")] = Report.TEXT,
) -> None:
    """Judge documents as the exchange would: exit 0 all accepted, 1 some refused, 2 something cannot be read."""
    validator = Validator(Catalogue.load())
    worst, verdicts = 0, []
    for path in _files(paths):
        try:
            content = path.read_bytes()
        except OSError as error:
            typer.echo(f"{path}: {error.strerror}", err=True)
            worst = _UNREADABLE
            continue
        verdict = validator.judge(content, schema_only=schema_only)
        worst = max(worst, 0 if verdict.accepted else _REFUSED)
        if form is Report.JSON:
            verdicts.append(told(path, verdict))
        else:
            typer.echo(_line(path, verdict) if form is Report.JSONL else _words(path, verdict))
    if form is Report.JSON:
        typer.echo(json.dumps(verdicts, ensure_ascii=False, indent=2))
    raise typer.Exit(worst)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*.xml") if file.is_file())
        else:
            yield path


def told(path: Path, verdict: Verdict) -> dict[str, Any]:
    """Say a verdict as scripts read it."""
    return {"file": str(path), **judge.told(verdict)}


def _line(path: Path, verdict: Verdict) -> str:
    return json.dumps(told(path, verdict), ensure_ascii=False)


def _words(path: Path, verdict: Verdict) -> str:
    head = f"{path}: {'accepted' if verdict.accepted else 'rejected'}"
    return "\n".join([head, *(f"  {fault.sentence()}" for fault in verdict.faults)])
