"""What a passphrase must be: long, and none that everybody tries first (NIST SP 800-63B 3.1.1.2, ASVS 5.0 chapter 6).

Nothing is demanded of its characters, and it never runs out.
"""

from __future__ import annotations

import re
import unicodedata

SHORTEST = 12
LONGEST = 256
"""Characters."""

_FEWEST_DIFFERENT = 5
_LONGEST_STEP = 4
_ROWS = ("abcdefghijklmnopqrstuvwxyzæøå", "01234567890", "qwertyuiopå", "asdfghjkløæ", "zxcvbnm", "1qaz2wsx3edc4rfv")
_WORDS = (
    *("passord", "password", "passphrase", "passfrase", "hemmelig", "secret", "velkommen", "welcome", "letmein"),
    *("slippmeginn", "administrator", "admin", "bruker", "user", "test", "testing", "endremeg", "changeme", "start"),
    *("sykehus", "sjukehus", "hospital", "kommune", "helse", "health", "pasient", "patient", "lege", "doktor"),
    *("sykepleier", "journal", "samhandling", "melding", "norge", "norway", "oslo", "bergen", "trondheim"),
    *("sommer", "vinter", "haust", "høst", "vår", "summer", "winter", "autumn", "spring", "jul", "påske"),
    *("januar", "februar", "mars", "april", "mai", "juni", "juli", "august", "september", "oktober"),
    *("november", "desember", "mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag"),
    *("qwerty", "qwertyuiop", "abc", "abcd", "asdf", "iloveyou", "jegelskerdeg", "fotball", "football", "drage"),
)
_COMMON = re.compile(f"(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))}){{1,2}}")
_SAME_WORD = re.compile(r"(.+?)\1+")
_OUTSIDE = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_SPELT = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"})


def normalised(text: str) -> str:
    """Write a passphrase in the one way in which it is hashed, whatever keyboard it was typed on (NFKC)."""
    return unicodedata.normalize("NFKC", text)


def weakness(passphrase: str, *, name: str = "") -> str | None:
    """Say why a passphrase cannot be taken; None when it can."""
    text = normalised(passphrase)
    if len(text) < SHORTEST:
        return f"The passphrase must have at least {SHORTEST} characters; a few words in a row are easy to remember."
    if len(text) > LONGEST:
        return f"The passphrase may have at most {LONGEST} characters."
    if not text.isprintable():
        return "The passphrase holds a character that cannot be typed, such as a line break."
    if _is_guessed_first(text.casefold(), name.casefold()):
        return "The passphrase is one of those that are tried first; choose words that have nothing to do with this."
    return None


def _is_guessed_first(text: str, name: str) -> bool:
    if len(set(text)) < _FEWEST_DIFFERENT or _is_mostly_a_row(text):
        return True
    return any(_is_known_to_all(form, name) for form in (text, _OUTSIDE.sub("", text).translate(_SPELT)))


def _is_known_to_all(text: str, name: str) -> bool:
    """Tell whether nothing but digits and signs was put around one or two common words, or around the name."""
    letters, own_name = _letters(text), _letters(name)
    once = _SAME_WORD.fullmatch(letters)
    return any(_COMMON.fullmatch(one) or (own_name and one == own_name) for one in {letters, once and once[1]} if one)


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text))


def _is_mostly_a_row(text: str) -> bool:
    """Tell whether most of a passphrase is a walk along the alphabet or the keyboard, either way."""
    rows = [*_ROWS, *(row[::-1] for row in _ROWS)]
    steps = range(len(text) - _LONGEST_STEP + 1)
    walked = sum(any(text[at : at + _LONGEST_STEP] in row for row in rows) for at in steps)
    return walked * 2 > len(steps)
