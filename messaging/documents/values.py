"""Values as a Norwegian reader writes them: dates in words, decimal commas, sizes, and text that cannot do any harm."""

from __future__ import annotations

import inspect
import re
from datetime import date, datetime, time

from messaging.model.clock import OSLO

_MONTHS = (
    "januar", "februar", "mars", "april", "mai", "juni",
    "juli", "august", "september", "oktober", "november", "desember",
)  # fmt: skip
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:Z|[+-]\d\d:\d\d)?")
_TIME = re.compile(r"(\d\d:\d\d):\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")
_MONTH = re.compile(r"(\d{4})-(\d\d)(?:Z|[+-]\d\d:\d\d)?")
_DECIMAL = re.compile(r"-?\d+\.\d+")
_BLANKS = re.compile(r"[ \t\n\r\xa0]+")
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]"
    "|[\U000e0000-\U000e007f]"
)
"""What steers a terminal or the direction of writing, and is not seen: it could make a text read as another."""

REPLACEMENT = "\ufffd"
YES, NO = "Ja", "Nei"
_THOUSAND = 1000


def harmless(text: str) -> str:
    """Put a visible sign where a character could hide or turn text; line breaks become one kind."""
    return _HARMFUL.sub(REPLACEMENT, text.replace("\r\n", "\n").replace("\r", "\n"))


def line(text: str) -> str:
    """Write a text in one line."""
    return harmless(_BLANKS.sub(" ", text)).strip()


def words(text: str) -> str:
    """Write a text with its own line breaks, without the indentation that a formatter gave it."""
    return harmless(inspect.cleandoc(text.replace("\r\n", "\n").replace("\r", "\n"))).strip()


def moment(text: str) -> str:
    """Write a time or date out: 2. februar 2018 kl. 15.40; another zone's time in Norwegian time; else as it stands."""
    text = line(text)
    try:
        if _MOMENT.fullmatch(text):
            at = datetime.fromisoformat(text)
            at = at.astimezone(OSLO) if at.tzinfo else at
            return f"{_day(at.date())} kl. {at:%H.%M}"
        if found := _DATE.fullmatch(text):
            return _day(date.fromisoformat(found[1]))
        if found := _TIME.fullmatch(text):
            return f"kl. {time.fromisoformat(found[1]):%H.%M}"
        if found := _MONTH.fullmatch(text):
            return f"{_MONTHS[date(int(found[1]), int(found[2]), 1).month - 1]} {found[1]}"
    except (ValueError, OverflowError):
        return text
    return text


def _day(day: date) -> str:
    return f"{day.day}. {_MONTHS[day.month - 1]} {day.year}"


def truth(text: str) -> str:
    """Write Ja or Nei; what is neither stays as it stands."""
    text = line(text)
    return {"true": YES, "1": YES, "false": NO, "0": NO}.get(text, text)


def number(text: str) -> str:
    """Write a number with a decimal comma."""
    text = line(text)
    return text.replace(".", ",") if _DECIMAL.fullmatch(text) else text


def address(text: str) -> str:
    """Write a telephone number or e-mail address as people do; another address as it stands."""
    text = line(text)
    for scheme in ("tel:", "mailto:", "fax:"):
        if text.lower().startswith(scheme):
            return text[len(scheme) :].strip()
    return text


def size_of_base64(text: str) -> int:
    """Tell how many bytes a text in Base64 holds, without decoding it."""
    digits = len(text) - sum(text.count(sign) for sign in " \t\r\n")
    return max(0, digits * 3 // 4 - text.rstrip()[-2:].count("="))


def size(number_of_bytes: int) -> str:
    """Write a size: 640 byte, 12 kB, 3,4 MB."""
    if number_of_bytes < _THOUSAND:
        return f"{number_of_bytes} byte"
    amount = number_of_bytes / _THOUSAND
    for unit in ("kB", "MB"):
        if amount < _THOUSAND or unit == "MB":
            break
        amount /= _THOUSAND
    written = f"{amount:.0f}" if amount >= 10 else f"{amount:.1f}".removesuffix(".0")  # noqa: PLR2004 - two digits
    return f"{written.replace('.', ',')} {unit}"
