"""Judging documents from the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from messaging.app import validator_of
from messaging.documents import Explainer, Verdict
from messaging.flow import judge
from messaging.model.faults import Fault, Language
from messaging.settings import load

_WORDS = {
    Language.ENGLISH: {"accepted": "accepted", "rejected": "rejected", "warning": "warning"},
    Language.NORWEGIAN: {"accepted": "godtatt", "rejected": "avvist", "warning": "advarsel"},
}
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
    language: Annotated[Language, typer.Option("--lang", help="The language of the explanations.")] = Language.ENGLISH,
    explained: Annotated[
        bool, typer.Option("--explain", help="Take longer, and tell better what the schemas find wrong.")
    ] = False,
) -> None:
    """Judge documents as the exchange would: exit 0 all accepted, 1 some refused, 2 something cannot be read."""
    worst, verdicts = 0, []
    with _judging(schema_only=schema_only, explained=explained) as judged:
        for path in _files(paths):
            try:
                content = path.read_bytes()
            except OSError as error:
                typer.echo(f"{path}: {error.strerror}", err=True)
                worst = _UNREADABLE
                continue
            verdict = judged(content)
            worst = max(worst, 0 if verdict.accepted else _REFUSED)
            if form is Report.JSON:
                verdicts.append(told(path, verdict, language))
            else:
                typer.echo((_line if form is Report.JSONL else _words)(path, verdict, language))
    if form is Report.JSON:
        typer.echo(json.dumps(verdicts, ensure_ascii=False, indent=2))
    raise typer.Exit(worst)


@contextmanager
def _judging(*, schema_only: bool, explained: bool) -> Iterator[Callable[[bytes], Verdict]]:
    """Give the judge that the settings ask for; where it shall explain, with the process that helps it."""
    validator = validator_of(load())
    if not explained:
        yield partial(validator.judge, schema_only=schema_only)
        return
    with closing(Explainer(validator.catalogue)) as explainer:
        explainer.start()
        yield partial(validator.judge, schema_only=schema_only, words=explainer.words)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*.xml") if file.is_file())
        else:
            yield path


def told(path: Path, verdict: Verdict, language: Language) -> dict[str, Any]:
    """Say a verdict as scripts read it."""
    return {"file": str(path), **judge.told(verdict, language)}


def _line(path: Path, verdict: Verdict, language: Language) -> str:
    return json.dumps(told(path, verdict, language), ensure_ascii=False)


def _words(path: Path, verdict: Verdict, language: Language) -> str:
    words = _WORDS[language]
    lines = [f"{path}: {words['accepted' if verdict.accepted else 'rejected']}"]
    lines += [f"  {_sentence(fault, language)}" for fault in verdict.faults]
    lines += [f"  {words['warning']}: {_sentence(warning, language)}" for warning in verdict.warnings]
    return "\n".join(lines)


def _sentence(fault: Fault, language: Language) -> str:
    return fault.sentence(language) + (f" [{fault.source}]" if fault.source else "")
