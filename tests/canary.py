"""A patient who does not exist, planted in documents, and the check that nothing of hers or of anybody's comes out."""

from __future__ import annotations

import re

import fixtures

NAME, FAMILY, FREE_TEXT = "Kanarina", "Fuglesangsen", "kanarifritekst nummer sju"
WORDS = (NAME, FAMILY, "kanarifritekst")
_WEIGHTS = ((3, 7, 6, 1, 8, 9, 4, 5, 2, 1), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1))
_FREE = re.compile(r">[^<>\n]*[a-zæøå]{3} [^<>\n]{8,}<")
"""A sentence between tags; what has a code list or a form is shorter, or in an attribute."""
_ELEVEN = re.compile(r"(?<![\w.-])\d{11}(?![\w.-])")


def _is_person_number(digits: str) -> bool:
    """Tell whether both check digits fit, and a day and a month of any series stand at the beginning."""
    numbers = [int(digit) for digit in digits]
    first = sum(weight * number for weight, number in zip(_WEIGHTS[0], numbers, strict=False)) % 11
    second = sum(weight * number for weight, number in zip(_WEIGHTS[1], numbers, strict=True)) % 11
    day, month = int(digits[:2]) % 40, int(digits[2:4])
    return not first and not second and 1 <= day <= 31 and any(1 <= month - by <= 12 for by in (0, 40, 65, 80))


def _made(beginning: str) -> str:
    """Give the first number that begins so and whose check digits fit."""
    return next(number for rest in range(100) if _is_person_number(number := f"{beginning}{rest:02}"))


NUMBER = _made("138190123")
"""A synthetic number, of the series whose months are 80 higher."""


def planted(name: str) -> bytes:
    """Read a fixture with the canary in the place of its patient, and in every free text."""
    document = fixtures.read(name).decode("utf-8")
    patient = re.search(r"<(\w+:)?Patient>.*?</(\w+:)?Patient>", document, re.DOTALL)
    if patient is None:
        raise ValueError(f"{name} has no patient")
    hers = re.sub(r"(<(?:\w+:)?FamilyName>)[^<]*", rf"\g<1>{FAMILY}", patient[0])
    hers = re.sub(r"(<(?:\w+:)?GivenName>)[^<]*", rf"\g<1>{NAME}", hers)
    hers = re.sub(r"(<(?:\w+:)?Id>)\d{11}", rf"\g<1>{NUMBER}", hers)
    head, content, body = document.replace(patient[0], hers).partition("<Content>")
    return "".join([head, content, _FREE.sub(f">{FREE_TEXT}<", body)]).encode()


def leaks(text: str) -> list[str]:
    """Say what of the canary, or which number of a person, stands in a text."""
    found = [word for word in WORDS if word.lower() in text.lower()]
    return found + [number for number in _ELEVEN.findall(text) if _is_person_number(number)]
