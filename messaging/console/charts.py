"""Charts, drawn on the server: SVG files of their own, so that the pages need no script or inline style for them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import pygal
from pygal.style import Style

# It adds an importer of a kind that Python no longer asks, for maps that nobody draws; each import would warn of it.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]

COLOURS = {
    "received": "#3d7f99",
    "delivered": "#7a8c99",
    "acknowledged": "#2e8b57",
    "rejected": "#c0392b",
}
"""Readable on light and on dark ground; the lines differ in their dashes too."""

_DASHES = {"received": "", "delivered": "2, 4", "acknowledged": "8, 3", "rejected": "1, 2"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox",
    "Cache-Control": "no-store",
}


def headers() -> dict[str, str]:
    """Give the headers of a chart: it may style itself, and nothing else."""
    return dict(_HEADERS)


def lines(series: Mapping[str, Sequence[int]], names: Mapping[str, str], labels: Sequence[str]) -> str:
    """Draw one line for each series over the same moments, with `labels` below them."""
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground="#6b7a85",
        foreground_strong="#6b7a85",
        foreground_subtle="#9aa7b0",
        colors=tuple(COLOURS[name] for name in series),
        font_family="system-ui, sans-serif",
        label_font_size=15,
        major_label_font_size=15,
        legend_font_size=16,
        opacity=".95",
        guide_stroke_color="#9aa7b055",
        major_guide_stroke_color="#9aa7b055",
    )
    chart = pygal.Line(
        style=style,
        js=[],
        width=900,
        height=320,
        show_dots=False,
        legend_at_bottom=True,
        legend_at_bottom_columns=len(series),
        x_labels_major_every=max(1, len(labels) // 6),
        show_minor_x_labels=False,
        min_scale=1,
        max_scale=5,
        truncate_label=-1,
        truncate_legend=-1,
        include_x_axis=True,
        disable_xml_declaration=True,
        no_data_text="-",
        pretty_print=False,
    )
    chart.x_labels = labels
    for name, values in series.items():
        stroke = {"width": 2.5, **({"dasharray": _DASHES[name]} if _DASHES[name] else {})}
        chart.add(names[name], list(values), stroke_style=stroke)
    drawn: str = chart.render(is_unicode=True)
    return drawn
