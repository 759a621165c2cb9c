"""The one hardened XML parser: bytes to a tree, or a fault that says why not.

No DTD, no entity, no network, no file: a DOCTYPE is refused before libxml2 sees the document. The order of the checks
matters: what is cheap and bounds the rest comes first.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from lxml import etree
from lxml.etree import _Element as Element

from messaging.documents.syntax import words_for
from messaging.model.faults import Fault, FaultCode

__all__ = ["Element", "Tree", "read"]

MOST_ELEMENTS = 100_000
MOST_DEPTH = 64
MOST_ATTRIBUTES = 64
"""On one element."""
MOST_ATTRIBUTES_IN_ALL = 500_000
MOST_DECLARATIONS = 64
"""Namespace declarations on one element."""
MOST_REMARKS = 1_000
"""Comments and processing instructions."""
LONGEST_NAME = 256
"""Characters of an element's name."""
LONGEST_PROLOG = 16_384
"""Bytes before the root element."""

_LIBXML2_LIMIT = 10_000_000
"""The longest text that libxml2 reads unless told that the tree is huge, which it must be for large attachments."""
_LARGE = 65_536
"""What is shorter cannot cost much whatever it holds; from this size a document is counted first, and parsed apart."""

_PAST_DECLARATION = 5
"""Bytes from the start within which `<?` opens the XML declaration."""
_UTF8_BOM = b"\xef\xbb\xbf"
_BLANK = b"[ \\t\\r\\n]"
_DECLARATION = re.compile(
    rb"<\?xml%(s)s+version%(s)s*=%(s)s*(?:\"1\.0\"|'1\.0')"
    rb"(?:%(s)s+encoding%(s)s*=%(s)s*[\"']([A-Za-z][A-Za-z0-9._-]*)[\"'])?"
    rb"(?:%(s)s+standalone%(s)s*=%(s)s*(?:\"(?:yes|no)\"|'(?:yes|no)'))?%(s)s*\?>" % {b"s": _BLANK}
)
_OTHER_VERSION = re.compile(rb"<\?xml%(s)s+version%(s)s*=%(s)s*[\"']1\.[1-9]" % {b"s": _BLANK})
_STARTS_DECLARATION = re.compile(rb"<\?xml%(s)s" % {b"s": _BLANK})
_SPACE = re.compile(rb"%(s)s*" % {b"s": _BLANK})
_ATTRIBUTE = re.compile(rb"=%(s)s*[\"']" % {b"s": _BLANK})
_ENCODINGS = {b"utf-8": "utf-8", b"iso-8859-1": "iso-8859-1"}

_TOO_DEEP = etree.XPath(f"boolean({'/*' * (MOST_DEPTH + 1)})")
_LIMITS = (
    (etree.XPath(f"count(//*) > {MOST_ELEMENTS}"), f"The document has more than {MOST_ELEMENTS} elements."),
    (etree.XPath(f"boolean(//@*[{MOST_ATTRIBUTES + 1}])"), f"An element has more than {MOST_ATTRIBUTES} attributes."),
    (
        etree.XPath(f"boolean(//*[string-length(name()) > {LONGEST_NAME}])"),
        f"An element's name is longer than {LONGEST_NAME} characters.",
    ),
)


@dataclass(frozen=True, slots=True)
class Tree:
    """A document that is well-formed and within the limits."""

    root: Element
    encoding: str
    declares_encoding: bool = True
    has_remarks: bool = True
    """Whether there may be comments or processing instructions in it."""


class _NothingOutside(etree.Resolver):
    """Refuses whatever libxml2 might want to fetch: a second wall, behind the refusal of every DOCTYPE.

    It must stay the second: lxml's resolver in force is one for all threads, and changes when any of them ends a parse.
    """

    def resolve(self, *_: object) -> NoReturn:
        """Raise: a document is read from its own bytes alone."""
        raise OSError("A document may not refer to anything outside itself.")


def read(content: bytes) -> Tree | Fault:
    """Read a document, or say why it cannot be read (T01). Never opens a file or a socket, and never raises."""
    encoding = _encoding(content)
    if isinstance(encoding, Fault):
        return encoding
    large = len(content) >= _LARGE
    fault = _prolog_fault(content) or (_bounds_fault(content) if large else None)
    if fault:
        return fault
    try:
        root = _parse_apart(content, encoding) if large else _parse(content, encoding)
    except etree.XMLSyntaxError as error:
        return _fault(words_for(cast("Any", error).code), line=error.lineno, column=error.position[1])
    except (etree.LxmlError, OSError, ValueError):
        return _fault("The document is not well-formed XML.")
    return (
        _tree_fault(root)
        or (_large_tree_fault(root, content) if large else None)
        or Tree(
            root,
            encoding,
            declares_encoding=_declares_encoding(content),
            has_remarks=b"<!--" in content or content.find(b"<?", _PAST_DECLARATION) > 0,
        )
    )


def _fault(text: str, *, line: int | None = None, column: int | None = None) -> Fault:
    if column and line:
        text = f"{text.removesuffix('.')} (column {column})."
    return Fault(FaultCode.T01, text, line=line or None)


def _encoding(content: bytes) -> str | Fault:
    """Tell the encoding: UTF-8 or declared ISO-8859-1, the two that the national standards allow."""
    if not content.strip():
        return _fault("The document is empty.")
    if content.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00", b"<\x00")):
        return _fault("The document is not in UTF-8 or ISO-8859-1; send it in one of these.", line=1)
    marked = content.startswith(_UTF8_BOM)
    start = len(_UTF8_BOM) if marked else 0
    if not _STARTS_DECLARATION.match(content, start):
        return "utf-8"
    declared = _declared_encoding(content, start)
    if marked and declared == "iso-8859-1":
        return _fault("The document begins with the mark of UTF-8 (BOM), and declares another encoding.", line=1)
    return declared


def _declares_encoding(content: bytes) -> bool:
    """Tell whether a document that could be read says which encoding it is in."""
    declaration = _DECLARATION.match(content, len(_UTF8_BOM) if content.startswith(_UTF8_BOM) else 0)
    return declaration is not None and declaration[1] is not None


def _declared_encoding(content: bytes, start: int) -> str | Fault:
    declaration = _DECLARATION.match(content, start)
    if declaration is None:
        return _declaration_fault(content, start)
    encoding = _ENCODINGS.get((declaration[1] or b"utf-8").lower())
    return encoding or _fault("The XML declaration names an encoding other than UTF-8 and ISO-8859-1.", line=1)


def _declaration_fault(content: bytes, start: int) -> Fault:
    if _OTHER_VERSION.match(content, start):
        return _fault("The document declares another XML version than 1.0, the only one that is taken.", line=1)
    return _fault(
        'The XML declaration is not written as it should be: <?xml version="1.0" encoding="UTF-8"?>.',
        line=1,
    )


def _prolog_fault(content: bytes) -> Fault | None:
    """Look at what stands before the root element: an XML declaration, comments and processing instructions only."""
    at = len(_UTF8_BOM) if content.startswith(_UTF8_BOM) else 0
    while at <= LONGEST_PROLOG:
        blank = _SPACE.match(content, at)
        at = blank.end() if blank else at
        if content.startswith(b"<!--", at):
            end = content.find(b"-->", at + 4)
        elif content.startswith(b"<?", at):
            end = content.find(b"?>", at + 2)
        else:
            return _root_fault(content, at)
        if end < 0:
            return _fault("A comment or processing instruction before the root element is not closed.", line=1)
        at = end + (3 if content.startswith(b"-->", end) else 2)
    return _fault(f"More than {LONGEST_PROLOG} bytes stand before the root element.", line=1)


def _root_fault(content: bytes, at: int) -> Fault | None:
    line = content.count(b"\n", 0, at) + 1
    if content[at : at + 9].upper() == b"<!DOCTYPE":
        return _fault("The document has a DOCTYPE; remove it, documents with a DOCTYPE are not taken.", line=line)
    if not content.startswith(b"<", at):
        return _fault("The document does not begin as XML: expected '<' and the root element's name.", line=line)
    return None


def _bounds_fault(content: bytes) -> Fault | None:
    """Bound by counting bytes what the parse can cost, before it is begun; each count is an upper bound."""
    if b"\x00" in content:
        return _fault("The document holds a zero byte: it is not XML in UTF-8 or ISO-8859-1.")
    if content.count(b"<!--") + content.count(b"<?") > MOST_REMARKS:
        return _fault(f"The document has more than {MOST_REMARKS} comments and processing instructions.")
    if content.count(b"<") > 2 * (MOST_ELEMENTS + MOST_REMARKS):
        return _fault(f"The document has more than {MOST_ELEMENTS} elements.")
    if content.count(b"=") > MOST_ATTRIBUTES_IN_ALL and _attributes_exceed(content):
        return _fault(f"The document has more than {MOST_ATTRIBUTES_IN_ALL} attributes.")
    return None


def _attributes_exceed(content: bytes) -> bool:
    return any(number > MOST_ATTRIBUTES_IN_ALL for number, _ in enumerate(_ATTRIBUTE.finditer(content), 1))


def _parse(content: bytes, encoding: str) -> Element:
    # A parser costs less than a microsecond, and one that is shared makes threads wait for each other.
    # collect_ids stays as it is: switched off, lxml's libxml2 loads external DTDs.
    parser = etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=len(content) > _LIBXML2_LIMIT,
        recover=False,
    )
    parser.resolvers.add(_NothingOutside())
    return etree.fromstring(content, parser)


def _parse_apart(content: bytes, encoding: str) -> Element:
    """Parse in a thread that ends: libxml2 keeps every new name for as long as the thread lives that first read it."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(_parse, content, encoding).result()


def _tree_fault(root: Element) -> Fault | None:
    info: Any = root.getroottree().docinfo
    if info.doctype or info.xml_version != "1.0":
        return _fault("The document has a DOCTYPE or another XML version than 1.0.", line=1)
    return _fault(f"The elements are nested more than {MOST_DEPTH} deep.") if _TOO_DEEP(root) else None


def _large_tree_fault(root: Element, content: bytes) -> Fault | None:
    """Check exactly what counting bytes could only bound."""
    for exceeded, text in _LIMITS:
        if exceeded(root):
            return _fault(text)
    if content.count(b"xmlns") > MOST_DECLARATIONS and _too_many_declarations(root):
        return _fault(f"An element declares more than {MOST_DECLARATIONS} namespaces.")
    return None


def _too_many_declarations(root: Element) -> bool:
    run = 0
    for event, _ in etree.iterwalk(root, events=("start-ns", "start")):
        run = run + 1 if event == "start-ns" else 0
        if run > MOST_DECLARATIONS:
            return True
    return False
