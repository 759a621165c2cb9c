"""What the schema finds wrong, in words: which element, where, and what was expected; never the offending value.

libxml2's own sentences quote the document. From them only two things are taken: the error's number, and those words
that the schemas themselves spell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lxml.etree import ErrorTypes

from messaging.documents.names import local, namespace_of
from messaging.documents.reader import Element
from messaging.documents.tree import path_of
from messaging.documents.vocabulary import BUILT_IN, Vocabulary
from messaging.model.faults import MOST_FAULTS, Fault, FaultCode

_STEP = re.compile(r"(?P<name>[^/\[\]]+)(?:\[(?P<position>\d+)\])?")
_EXPECTED = re.compile(r"Expected is (?:one of )?\( ([^()]*) \)\.?$")
_TAIL_QUOTED = re.compile(r"'([^']*)'\.?$")
_TAIL_SET = re.compile(r"is not an element of the set \{([^{}]*)\}\.?$")
_TAIL_NUMBER = re.compile(r"'(\d{1,9})'\.?$")
_QUOTED = re.compile(r"'([^']*)'")

MOST_EXPECTED = 10
"""So many elements libxml2 lists at most."""
_LONGEST_ENDING = 4_000
"""Characters at the end of libxml2's sentence, where it says what was expected."""
_OID_PATTERNS = (r"\d+(\.\d+)*", r"(\d+\.?)*\d+")
"""Two ways to write the same set of values."""
_DATE_OR_TIME = "a date and a time, a date, a year, a year and a month, or a time of day"


MOST_DESCRIBED = 4 * MOST_FAULTS
"""So many errors are put into words; some of them may be the same fault told twice."""


def describe(errors: Sequence[Any], root: Element, vocabulary: Vocabulary) -> tuple[Fault, ...]:
    """Turn the first of libxml2's schema errors (lxml's log entries) into faults, each told once."""
    return tuple(dict.fromkeys(SchemaError(error, root, vocabulary).fault() for error in errors[:MOST_DESCRIBED]))


def at_most(faults: tuple[Fault, ...], *, untold: int = 0) -> tuple[Fault, ...]:
    """Keep so many faults as may be told; the last one then says how many more there are, `untold` included."""
    if len(faults) + untold <= MOST_FAULTS:
        return faults
    told = faults[: MOST_FAULTS - 1]
    more = len(faults) + untold - len(told)
    return (*told, Fault(faults[MOST_FAULTS - 1].code, f"There are {more} more faults."))


class SchemaError:
    """One schema error, with the element that it is about."""

    def __init__(self, error: Any, root: Element, vocabulary: Vocabulary) -> None:
        self.number: int = error.type
        self.message: str = error.message or ""
        self.ending = self.message[-_LONGEST_ENDING:].rstrip()
        self.line: int | None = error.line if error.line and error.line > 0 else None
        self.vocabulary = vocabulary
        self.element = element_at(root, error.path or "")
        self.attribute = self._attribute()

    def fault(self) -> Fault:
        """Say it."""
        words = _WORDS.get(self.number, _generic)
        path = path_of(self.element, self.vocabulary) if self.element is not None else None
        if path and self.attribute:
            path += f"/@{self.attribute}"
        return Fault(FaultCode.T02, words(self), line=self.line, path=path)

    @property
    def name(self) -> str:
        """The element's name, if it is one of the schemas'."""
        if self.element is None:
            return "An element"
        name = local(str(self.element.tag))
        return name if name in self.vocabulary.elements else "An unknown element"

    @property
    def subject(self) -> str:
        """What the value belongs to."""
        if self.attribute:
            return f"The attribute {self.attribute} of {self.name}"
        return self.name

    def expected(self) -> list[str]:
        """Tell which elements the schema would take instead, by qualified name; only names that schemas spell."""
        known, listed = self.vocabulary, dict.fromkeys(self.listed())
        return [tag for tag in listed if local(tag) in known.elements and namespace_of(tag) in {"", *known.namespaces}]

    def listed(self) -> list[str]:
        """Read the elements that libxml2 lists."""
        found = _EXPECTED.search(self.ending)
        return [part.strip() for part in found[1].split(",")] if found else []

    def says(self, phrase: str) -> bool:
        """Tell whether libxml2's own words begin so, after the names of element and attribute."""
        opening = "" if self.element is None else f"Element '{self.element.tag}': "
        return self.message.startswith(opening + phrase)

    def expected_type(self) -> str:
        """Say what the type at the end of the message means; empty when it is none of the schemas'."""
        if self.ending.endswith("local union type."):
            return _DATE_OR_TIME
        found = _TAIL_QUOTED.search(self.ending)
        name = found[1].rpartition("}")[2].removeprefix("xs:") if found else ""
        if name in BUILT_IN:
            return BUILT_IN[name]
        return f"of the type {name}" if name in self.vocabulary.types else ""

    def prescribed(self) -> str:
        """Read the single value, or pattern, that the schema prescribes at the end of the message."""
        for value in self.vocabulary.values:
            if self.ending.endswith(f"'{value}'."):
                return value
        return ""

    def allowed(self) -> list[str]:
        """Read the values that the schema enumerates."""
        found = _TAIL_SET.search(self.ending)
        return [value for value in _QUOTED.findall(found[1]) if value in self.vocabulary.values] if found else []

    def number_at_end(self) -> str:
        """Read the length or bound that the schema prescribes."""
        found = _TAIL_NUMBER.search(self.ending)
        return found[1] if found and found[1] in self.vocabulary.values else ""

    def _attribute(self) -> str:
        if self.element is None:
            return ""
        opening = f"Element '{self.element.tag}', attribute '"
        if not self.message.startswith(opening):
            return ""
        name = local(self.message[len(opening) :].partition("'")[0])
        return name if name in self.vocabulary.attributes else "*"


def element_at(root: Element, path: str) -> Element | None:
    """Find the element that a path of libxml2's names, such as /*/*[2]/po:Merknad[1]; None when there is none."""
    steps = [_STEP.fullmatch(part) for part in path.split("/")[1:]]
    if not steps or not all(steps):
        return None
    at: Element | None = root
    for step in steps[1:]:
        if at is None or step is None:
            return None
        at = _nth(at.iterchildren("{*}*"), step["name"], int(step["position"] or 1))
    return at


def _nth(children: Iterable[Element], name: str, position: int) -> Element | None:
    for element in children:
        if name == "*" or _prefixed(element) == name:
            position -= 1
            if position == 0:
                return element
    return None


def _prefixed(element: Element) -> str:
    name = local(str(element.tag))
    return f"{element.prefix}:{name}" if element.prefix else name


# The words, by the number of libxml2's error.


def _generic(error: SchemaError) -> str:
    return f"{error.subject} is not as the schema wants it."


def _content(error: SchemaError) -> str:
    expected = error.expected()
    wanted = _any_of(list(dict.fromkeys(local(tag) for tag in expected)))
    if error.says("Missing child element(s)."):
        return f"{error.name} is not complete: expected {wanted}." if wanted else f"{error.name} is not complete."
    for tag in expected:
        if local(tag) == error.name:
            return f"{error.name} is not in the namespace that is expected here: {namespace_of(tag) or 'none'}."
    if wanted:
        return f"{error.name} is not expected here; expected {wanted}."
    return f"{error.name} is not expected here; nothing more may follow in the element around it."


def _any_of(words: list[str]) -> str:
    """List some alternatives; libxml2 itself names no more than ten."""
    if len(words) == MOST_EXPECTED:
        words = [*words, "another"]
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def _value(error: SchemaError) -> str:
    expected = error.expected_type()
    return f"{error.subject} must be {expected}." if expected else _generic(error)


def _pattern(error: SchemaError) -> str:
    pattern = error.prescribed()
    if pattern in _OID_PATTERNS:
        return f"{error.subject} must be an OID: digits and points, such as 2.16.578.1.12.4.1.1.9051."
    return f"{error.subject} must follow the pattern {pattern}." if pattern else _generic(error)


def _enumeration(error: SchemaError) -> str:
    allowed = error.allowed()
    return f"{error.subject} must be {_any_of(allowed)}." if allowed else _generic(error)


def _length(error: SchemaError) -> str:
    number = error.number_at_end()
    return f"{error.subject} is longer or shorter than the schema allows{f': {number}' if number else ''}."


def _fixed(error: SchemaError) -> str:
    value = error.prescribed()
    return f'{error.subject} must be exactly "{value}".' if value else _generic(error)


def _attribute_not_allowed(error: SchemaError) -> str:
    which = "An unknown attribute" if error.attribute in ("", "*") else f"The attribute {error.attribute}"
    return f"{which} is not allowed on {_lower(error.name)}."


def _attribute_missing(error: SchemaError) -> str:
    found = re.search(r"The attribute '([^']*)' is required but missing\.$", error.ending)
    name = local(found[1]) if found else ""
    if name not in error.vocabulary.attributes:
        return f"A required attribute is missing on {_lower(error.name)}."
    return f"The attribute {name} is missing on {_lower(error.name)}."


def _empty_only(error: SchemaError) -> str:
    return f"{error.name} must be empty; what it says stands in its attributes."


def _text_only(error: SchemaError) -> str:
    return f"{error.name} must hold text only, and no elements."


def _elements_only(error: SchemaError) -> str:
    return f"{error.name} must hold elements only: text stands between or instead of them."


def _not_declared(error: SchemaError) -> str:
    return f"{error.name}, in this namespace, is no element that the schemas know here."


def _type_unusable(error: SchemaError) -> str:
    return f"{error.name} names a type (xsi:type) that cannot be used here."


def _nil(error: SchemaError) -> str:
    return f"{error.name} may not be nil (xsi:nil); leave it out, or fill it in."


def _identity(error: SchemaError) -> str:
    return f"{error.name} repeats or refers to an identifier in a way that the schema does not allow."


def _lower(name: str) -> str:
    return name[0].lower() + name[1:] if name.startswith("An ") else name


_WORDS: dict[int, Callable[[SchemaError], str]] = {
    ErrorTypes.SCHEMAV_ELEMENT_CONTENT: _content,
    ErrorTypes.SCHEMAV_CVC_DATATYPE_VALID_1_2_1: _value,
    ErrorTypes.SCHEMAV_CVC_DATATYPE_VALID_1_2_2: _value,
    ErrorTypes.SCHEMAV_CVC_DATATYPE_VALID_1_2_3: _value,
    ErrorTypes.SCHEMAV_CVC_PATTERN_VALID: _pattern,
    ErrorTypes.SCHEMAV_CVC_ENUMERATION_VALID: _enumeration,
    ErrorTypes.SCHEMAV_CVC_LENGTH_VALID: _length,
    ErrorTypes.SCHEMAV_CVC_MINLENGTH_VALID: _length,
    ErrorTypes.SCHEMAV_CVC_MAXLENGTH_VALID: _length,
    ErrorTypes.SCHEMAV_CVC_ELT_5_2_2_2_1: _fixed,
    ErrorTypes.SCHEMAV_CVC_ELT_5_2_2_2_2: _fixed,
    ErrorTypes.SCHEMAV_CVC_AU: _fixed,
    ErrorTypes.SCHEMAV_CVC_TYPE_3_1_1: _attribute_not_allowed,
    ErrorTypes.SCHEMAV_CVC_COMPLEX_TYPE_3_1: _attribute_not_allowed,
    ErrorTypes.SCHEMAV_CVC_COMPLEX_TYPE_3_2_1: _attribute_not_allowed,
    ErrorTypes.SCHEMAV_CVC_COMPLEX_TYPE_3_2_2: _attribute_not_allowed,
    ErrorTypes.SCHEMAV_CVC_COMPLEX_TYPE_4: _attribute_missing,
    ErrorTypes.SCHEMAV_CVC_COMPLEX_TYPE_2_1: _empty_only,
    ErrorTypes.SCHEMAV_CVC_COMPLEX_TYPE_2_2: _text_only,
    ErrorTypes.SCHEMAV_CVC_TYPE_3_1_2: _text_only,
    ErrorTypes.SCHEMAV_CVC_COMPLEX_TYPE_2_3: _elements_only,
    ErrorTypes.SCHEMAV_CVC_ELT_1: _not_declared,
    ErrorTypes.SCHEMAV_CVC_WILDCARD: _not_declared,
    ErrorTypes.SCHEMAV_CVC_ELT_3_1: _nil,
    ErrorTypes.SCHEMAV_CVC_ELT_3_2_1: _nil,
    ErrorTypes.SCHEMAV_CVC_ELT_3_2_2: _nil,
    ErrorTypes.SCHEMAV_CVC_ELT_4_1: _type_unusable,
    ErrorTypes.SCHEMAV_CVC_ELT_4_2: _type_unusable,
    ErrorTypes.SCHEMAV_CVC_ELT_4_3: _type_unusable,
    ErrorTypes.SCHEMAV_CVC_IDC: _identity,
}
