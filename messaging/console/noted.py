"""What somebody writes about what they do: it is kept for ever, so it is there, short, and names no patient."""

from __future__ import annotations

import re

from messaging.console.page import words_of

LONGEST = 500

_NATIONAL_NUMBER = re.compile(r"(?<!\d)\d{6}[ .-]?\d{5}(?!\d)")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
"""Some end in what looks like a national number."""


def noted(text: str) -> str:
    """Give a note or a reason in one line, as it is kept."""
    return " ".join("".join(one if one.isprintable() or one.isspace() else " " for one in text).split())


def fault_of(note: str, language: str) -> str:
    """Say what is wrong with a note; empty when nothing is."""
    words = words_of(language)["note"]
    if not note:
        return str(words["missing"])
    if len(note) > LONGEST:
        return str(words["too_long"]).format(most=LONGEST)
    return str(words["names_patient"]) if names_patient(note) else ""


def names_patient(text: str) -> bool:
    """Tell whether a text holds what may be a national number."""
    return _NATIONAL_NUMBER.search(_UUID.sub("", text)) is not None


def without_numbers(text: str, instead: str) -> str:
    """Take out what may be a national number, from what was written where nobody looked."""
    return _NATIONAL_NUMBER.sub(instead, text)
