"""Times as an operator reads them: how long ago, with the exact moment behind it, in Norwegian local time."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

OSLO = ZoneInfo("Europe/Oslo")

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_UNITS = {
    "nb": {"d": ("døgn", "døgn"), "h": ("t", "t"), "min": ("min", "min"), "s": ("s", "s")},
    "en": {"d": ("day", "days"), "h": ("h", "h"), "min": ("min", "min"), "s": ("s", "s")},
}
_AGO = {"nb": "for {span} siden", "en": "{span} ago"}
_AHEAD = {"nb": "om {span}", "en": "in {span}"}
_NOW = {"nb": "nå", "en": "now"}


def exact(moment: datetime) -> str:
    """Write a moment to the second, with its offset: 2026-03-09 13:00:00 +01:00."""
    local = moment.astimezone(OSLO)
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:]}"


def span(length: timedelta, language: str) -> str:
    """Say how long something lasts, by its two largest units: 3 t 12 min."""
    seconds = max(0, round(length.total_seconds()))
    parts = []
    for size, unit in _STEPS:
        count, seconds = divmod(seconds, size)
        if count:
            one, many = _UNITS[language][unit]
            parts.append(f"{count} {one if count == 1 else many}")
        elif parts:
            break
        if len(parts) == 2:  # noqa: PLR2004 - two units are as exact as anybody reads
            break
    return " ".join(parts) or f"0 {_UNITS[language]['s'][1]}"


def relative(moment: datetime, now: datetime, language: str) -> str:
    """Say how long ago a moment was, or how far ahead it is."""
    length = now - moment
    if abs(length) < timedelta(seconds=1):
        return _NOW[language]
    words = _AGO if length > timedelta(0) else _AHEAD
    return words[language].format(span=span(abs(length), language))


def told(moment: datetime | None, now: datetime, language: str, *, exactly: bool = False) -> Markup:
    """Write a moment for a page: the one way as text, the other on hover, and for machines as ISO 8601."""
    if moment is None:
        return Markup("&ndash;")
    shown, behind = relative(moment, now, language), exact(moment)
    if exactly:
        shown, behind = behind, shown
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.astimezone(OSLO).isoformat(timespec="seconds"), escape(behind), escape(shown)
    )
