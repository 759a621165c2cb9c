"""The results as people read them: a line, the table and the chart of docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from messaging.console.charts import COLOURS


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what was measured against what, on which database, round by round, and the goal."""

    what: str
    against: str
    database: str
    unit: str
    """Empty for a ratio."""
    goal: float
    at_least: bool
    rounds: tuple[float, ...]
    beside: str = ""
    """What the ratio was made of, in words."""

    @property
    def middle(self) -> float:
        """The median of the rounds."""
        return median(self.rounds)

    @property
    def is_met(self) -> bool:
        """Whether the median reaches the goal."""
        return self.middle >= self.goal if self.at_least else self.middle <= self.goal


DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, CHART = DOCS / "performance.md", DOCS / "performance.svg"
BEGIN, END = "<!-- table: written by benchmarks/table.py -->", "<!-- end of table -->"


def figure(row: Row, value: float) -> str:
    """Write a figure with its unit: two places for a ratio."""
    match row.unit:
        case "":
            return f"{value:.2f}"
        case "ms":
            return f"{value:.0f} ms"
        case _:
            return f"{value:.2f} {row.unit}"


def goal(row: Row) -> str:
    """Write the goal: at least, or at most."""
    return f"{'≥' if row.at_least else '≤'} {row.goal:g}{' ' + row.unit if row.unit else ''}"


def line(row: Row) -> str:
    """Write a row for a terminal."""
    spread = f"{figure(row, min(row.rounds))} to {figure(row, max(row.rounds))}"
    met = "met" if row.is_met else "NOT MET"
    return (
        f"{row.database:10} {figure(row, row.middle):>8} ({spread}), goal {goal(row)}: {met}  {row.what} {row.beside}"
    )


def table(rows: Sequence[Row]) -> str:
    """Write the table of the page."""
    lines = [
        "| What | Measured against | Database | Median | Rounds | Goal | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        what = f"{row.what} ({row.beside})" if row.beside else row.what
        spread = f"{figure(row, min(row.rounds))} to {figure(row, max(row.rounds))}"
        met = "met" if row.is_met else "**not met**"
        against = row.against or "-"
        lines.append(
            f"| {what} | {against} | {row.database} | {figure(row, row.middle)} | {spread} | {goal(row)} | {met} |"
        )
    return "\n".join(lines)


def chart(rows: Sequence[Row]) -> str:
    """Draw how far each row is beyond its goal: 100 is the goal, and more is better."""
    import pygal  # behind the console's own import, which takes away what pygal puts in the way of others
    from pygal.style import Style

    style = Style(
        background="transparent",
        plot_background="transparent",
        font_family="system-ui, sans-serif",
        colors=(COLOURS["received"],),
    )
    drawn = pygal.HorizontalBar(
        style=style, js=[], width=900, height=40 + 36 * len(rows), show_legend=False, disable_xml_declaration=True
    )
    drawn.x_labels = [f"{row.database}: {row.what[:48]}" for row in rows]
    drawn.add("%", [round(100 * (row.middle / row.goal if row.at_least else row.goal / row.middle)) for row in rows])
    return str(drawn.render(is_unicode=True))


def written(page: str, about: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Put the table between the marks of a page. Raises ValueError when they are not there."""
    before, found, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError("the page has no place for the table")
    when = f"Commit {about['commit']}, {about['at']}; {about['machine']}"
    said = f"{when}; {about['rounds']} rounds of {about['seconds']:g} s."
    return f"{before}{BEGIN}\n\n{said}\n\n{table(rows)}\n\n{END}{after}"


def write(about: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Write the page's table and its chart."""
    PAGE.write_text(written(PAGE.read_text("utf-8"), about, rows), "utf-8")
    CHART.write_text(chart(rows), "utf-8")
