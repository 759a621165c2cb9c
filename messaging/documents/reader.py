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

from messaging.documents.bounds import Bounds, Excess, bounds_of
from messaging.documents.syntax import words_for
from messaging.model.faults import Fault, FaultCode
from messaging.model.limits import Limits

__all__ = ["Element", "Tree", "hardened_parser", "read", "read_again"]

DEFAULT = Limits()

_LIBXML2_LIMIT = 10_000_000
"""The longest text that libxml2 reads unless told that the tree is huge, which it must be for large attachments."""
_LARGE = 65_536
"""What is shorter cannot cost much whatever it holds; from this size a document is counted first, and parsed apart."""

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
_STYLESHEET = re.compile(rb"<\?xml-stylesheet[ \t\r\n?]", re.IGNORECASE)
_ENCODINGS = {b"utf-8": "utf-8", b"iso-8859-1": "iso-8859-1"}


@dataclass(frozen=True, slots=True)
class Tree:
    """A document that is well-formed and within the limits."""

    root: Element
    encoding: str
    declares_encoding: bool = True


class _NothingOutside(etree.Resolver):
    """Refuses whatever libxml2 might want to fetch: a second wall, behind the refusal of every DOCTYPE.

    It must stay the second: lxml's resolver in force is one for all threads, and changes when any of them ends a parse.
    """

    def resolve(self, *_: object) -> NoReturn:
        """Raise: a document is read from its own bytes alone."""
        raise OSError("A document may not refer to anything outside itself.")


def read(content: bytes, limits: Limits = DEFAULT) -> Tree | Fault:
    """Read a document, or say why it cannot be read (T01). Never opens a file or a socket, and never raises."""
    encoding = _encoding(content, limits)
    if isinstance(encoding, Fault):
        return encoding
    bounds, large = bounds_of(limits), len(content) >= _LARGE
    fault = _prolog_fault(content, limits, bounds) or _told(bounds.excess_in_bytes(content))
    if fault is None and b"\x00" in content:
        fault = _fault("The document holds a zero byte: it is not XML in UTF-8 or ISO-8859-1.")
    if fault:
        return fault
    try:
        root = _parse_apart(content, encoding) if large else _parse(content, encoding)
    except etree.XMLSyntaxError as error:
        return _syntax_fault(error, content, bounds)
    except (etree.LxmlError, OSError, ValueError):
        return _fault("The document is not well-formed XML.")
    return (
        _doctype_fault(root)
        or _told(bounds.excess_in_tree(root, content, large=large))
        or Tree(root, encoding, declares_encoding=_declares_encoding(content))
    )


def _told(excess: Excess | None) -> Fault | None:
    return None if excess is None else _fault(excess[0], line=excess[1])


def _syntax_fault(error: etree.XMLSyntaxError, content: bytes, bounds: Bounds) -> Fault:
    """Say what libxml2 finds wrong; when it gives up on a document this short, the elements are nested too deep."""
    code = cast("Any", error).code
    if code == etree.ErrorTypes.ERR_RESOURCE_LIMIT and len(content) <= _LIBXML2_LIMIT:
        return _fault(bounds.over_depth()[0], line=error.lineno)
    return _fault(words_for(code), line=error.lineno, column=error.position[1])


def _fault(text: str, *, line: int | None = None, column: int | None = None) -> Fault:
    if column and line:
        text = f"{text.removesuffix('.')} (column {column})."
    return Fault(FaultCode.T01, text, line=line or None)


def _encoding(content: bytes, limits: Limits) -> str | Fault:
    """Tell the encoding: UTF-8 or declared ISO-8859-1, the two that the national standards allow."""
    if not content or content.isspace():
        return _fault("The document is empty.")
    if content.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00", b"<\x00")):
        return _fault("The document is not in UTF-8 or ISO-8859-1; send it in one of these.", line=1)
    marked = content.startswith(_UTF8_BOM)
    start = len(_UTF8_BOM) if marked else 0
    declared = _declared_encoding(content, start) if _STARTS_DECLARATION.match(content, start) else "utf-8"
    if isinstance(declared, str) and declared not in limits.encodings:
        return _fault(
            f"The document is in another encoding than {' or '.join(limits.encodings)}; send it in that.", line=1
        )
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


def _prolog_fault(content: bytes, limits: Limits, bounds: Bounds) -> Fault | None:
    """Look at what stands before the root element: an XML declaration, comments and processing instructions only."""
    at = len(_UTF8_BOM) if content.startswith(_UTF8_BOM) else 0
    while at <= limits.prolog_bytes:
        blank = _SPACE.match(content, at)
        at = blank.end() if blank else at
        if content.startswith(b"<!--", at):
            end = content.find(b"-->", at + 4)
        elif content.startswith(b"<?", at):
            if not limits.stylesheets and _STYLESHEET.match(content, at):
                return _fault("The document names a stylesheet (xml-stylesheet); remove it, none is ever used.", line=1)
            end = content.find(b"?>", at + 2)
        else:
            return _root_fault(content, at)
        if end < 0:
            return _fault("A comment or processing instruction before the root element is not closed.", line=1)
        at = end + (3 if content.startswith(b"-->", end) else 2)
    return _told(bounds.over_prolog())


def _root_fault(content: bytes, at: int) -> Fault | None:
    line = content.count(b"\n", 0, at) + 1
    if content[at : at + 9].upper() == b"<!DOCTYPE":
        return _fault("The document has a DOCTYPE; remove it, documents with a DOCTYPE are not taken.", line=line)
    if not content.startswith(b"<", at):
        return _fault("The document does not begin as XML: expected '<' and the root element's name.", line=line)
    return None


def _parse(content: bytes, encoding: str) -> Element:
    # A parser costs less than a microsecond, and one that is shared makes threads wait for each other.
    return etree.fromstring(content, hardened_parser(encoding, huge=len(content) > _LIBXML2_LIMIT))


def hardened_parser(encoding: str, *, huge: bool = True) -> etree.XMLParser:
    """Make the parser that reads documents; `huge` lets a text be longer than ten million bytes."""
    # collect_ids stays as it is: switched off, lxml's libxml2 loads external DTDs.
    parser = etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=huge,
        recover=False,
    )
    parser.resolvers.add(_NothingOutside())
    return parser


def read_again(root: Element) -> Element:
    """Copy a document that has been read, without anything around it."""
    return etree.fromstring(etree.tostring(root, encoding="utf-8", with_tail=False), hardened_parser("utf-8"))


def _parse_apart(content: bytes, encoding: str) -> Element:
    """Parse in a thread that ends: libxml2 keeps every new name for as long as the thread lives that first read it."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(_parse, content, encoding).result()


def _doctype_fault(root: Element) -> Fault | None:
    """Look again for what the prolog was searched for, as libxml2 saw it."""
    info: Any = root.getroottree().docinfo
    if info.doctype or info.xml_version != "1.0":
        return _fault("The document has a DOCTYPE or another XML version than 1.0.", line=1)
    return None
