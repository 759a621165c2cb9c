"""What form, schema and kind tell of a document, in Norwegian; `norwegian.toml` has each sentence by the English."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files

_PLACE = re.compile(r"\\{(\w+)\\}")
_COLUMN = re.compile(r" \(column (\d+)\)\.$")

Sentences = tuple[tuple[re.Pattern[str], str], ...]


@lru_cache(maxsize=1024)
def in_norwegian(text: str) -> str:
    """Say an English sentence in Norwegian; empty when it is none of those that are known."""
    column = _COLUMN.search(text)
    if column:
        inner = in_norwegian(f"{text[: column.start()]}.")
        return f"{inner.removesuffix('.')} (kolonne {column[1]})." if inner else ""
    return _translated(text, _sentences()["sentences"])


def _translated(text: str, known: Sentences) -> str:
    for pattern, norwegian in known:
        found = pattern.fullmatch(text)
        if found:
            return norwegian.format(**{name: _phrase(value) for name, value in found.groupdict().items()})
    return ""


def _phrase(text: str) -> str:
    """Say what is filled into a sentence; names and numbers stay as they are."""
    return _translated(text, _sentences()["phrases"]) or text.replace(" or another", " eller et annet").replace(
        " or ", " eller "
    )


@cache
def _sentences() -> Mapping[str, Sentences]:
    content = tomllib.loads((files("messaging.documents") / "norwegian.toml").read_text(encoding="utf-8"))
    return {
        part: tuple((_pattern(english), norwegian) for english, norwegian in sentences.items())
        for part, sentences in content.items()
    }


def _pattern(english: str) -> re.Pattern[str]:
    return re.compile(_PLACE.sub(r"(?P<\1>.+?)", re.escape(english)), re.DOTALL)
