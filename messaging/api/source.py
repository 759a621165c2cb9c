"""A verdict as a page shows it: the faults, and the lines of the source that they are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from messaging.documents import Verdict
from messaging.documents.values import harmless, size
from messaging.model.faults import Fault, Language

MOST_LINES = 2_000
"""So many lines of the whole source are shown."""
MOST_CHARACTERS = 300_000
"""So much of the whole source is shown, when its lines are long."""
_AROUND = 3
"""Lines before and after one with a fault."""
_LONGEST_LINE = 400
_LATIN = b"iso-8859-1"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault or a warning in the reader's language, and whether its line is among those shown."""

    kind: str
    """fault or warning."""
    code: str
    text: str
    line: int | None
    column: int | None
    path: str | None
    source: str
    shown: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the source with what is found in it, or so many lines that are left out."""

    number: int = 0
    text: str = ""
    more: int = 0
    """Characters of the line that are not shown."""
    findings: tuple[Finding, ...] = ()
    left_out: int = 0

    @property
    def kind(self) -> str:
        """Tell the worst that is found in the line: fault, warning, or nothing."""
        return min((finding.kind for finding in self.findings), default="")


@dataclass(frozen=True, slots=True)
class Result:
    """All that the page shows of a document that was judged."""

    accepted: bool
    sentence: str
    kind: str
    size: str
    faults: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    marked: tuple[Row, ...]
    source: tuple[Row, ...]
    source_cut: str
    document: Markup


def result_of(content: bytes, verdict: Verdict, document: str, words: Mapping[str, str], language: Language) -> Result:
    """Put a verdict beside the document's own lines; `document` is the finished HTML of how it is read."""
    lines = lines_of(content)
    source = whole(lines)
    cut = "" if len(source) == len(lines) else words["source_cut"].format(count=len(lines), shown=len(source))
    kind = verdict.kind
    title = "" if kind is None else kind.title if language is Language.NORWEGIAN else kind.english
    faults = tuple(_finding("fault", fault, len(lines), language) for fault in verdict.faults)
    warnings = tuple(_finding("warning", fault, len(lines), language) for fault in verdict.warnings)
    return Result(
        accepted=verdict.accepted,
        sentence=_sentence(len(faults), len(warnings), words),
        kind=f"{title} {kind.version} ({kind.type})" if kind else "",
        size=size(len(content)),
        faults=faults,
        warnings=warnings,
        marked=tuple(around(lines, (*faults, *warnings))),
        source=source,
        source_cut=cut,
        document=Markup(document),  # noqa: S704 - written by documents/rendering.py, which escapes all of it
    )


def lines_of(content: bytes) -> list[str]:
    """Read a document's lines as libxml2 counts them, whatever its bytes are."""
    encoding = "iso-8859-1" if _LATIN in content[:100].lower() else "utf-8-sig"
    return content.decode(encoding, "replace").split("\n")


def whole(lines: Sequence[str]) -> tuple[Row, ...]:
    """Show the source from its beginning, as far as a page should."""
    rows: list[Row] = []
    left = MOST_CHARACTERS
    for number, line in enumerate(lines[:MOST_LINES], 1):
        row = _row(number, line)
        left -= len(row.text)
        if left < 0:
            break
        rows.append(row)
    return tuple(rows)


def around(lines: Sequence[str], findings: Iterable[Finding]) -> Iterator[Row]:
    """Show the lines that something is found in, with a few on either side, and say how many lie between."""
    by_line: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.shown and finding.line:
            by_line.setdefault(finding.line, []).append(finding)
    near = {number for line in by_line for number in range(line - _AROUND, line + _AROUND + 1)}
    earlier = 0
    for number in sorted(number for number in near if 0 < number <= len(lines)):
        if number > earlier + 1:
            yield Row(left_out=number - earlier - 1)
        yield _row(number, lines[number - 1], by_line.get(number, ()))
        earlier = number
    if near and earlier < len(lines):
        yield Row(left_out=len(lines) - earlier)


def _finding(kind: str, fault: Fault, lines: int, language: Language) -> Finding:
    return Finding(
        kind=kind,
        code=fault.code.value,
        text=fault.text_in(language),
        line=fault.line,
        column=fault.column,
        path=fault.path,
        source=fault.source,
        shown=fault.line is not None and 0 < fault.line <= lines,
    )


def _row(number: int, line: str, findings: Iterable[Finding] = ()) -> Row:
    written = line.rstrip("\r")
    more = max(0, len(written) - _LONGEST_LINE)
    return Row(number, harmless(written[:_LONGEST_LINE]), more, tuple(findings))


def _sentence(faults: int, warnings: int, words: Mapping[str, str]) -> str:
    said = [_counted("rejected", faults, words) if faults else words["accepted_lead"]]
    if warnings:
        said.append(_counted("warned", warnings, words))
    return " ".join(said)


def _counted(name: str, number: int, words: Mapping[str, str]) -> str:
    return words[f"{name}_one"] if number == 1 else words[f"{name}_many"].format(count=number)
