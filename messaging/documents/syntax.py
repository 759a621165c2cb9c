"""Words for what libxml2 finds wrong with a document's form, by error number; its own sentences quote the document."""

from __future__ import annotations

from lxml.etree import ErrorTypes

_WORDS: dict[int, str] = {
    ErrorTypes.ERR_DOCUMENT_EMPTY: "The document does not begin as XML: expected '<' and the root element's name.",
    ErrorTypes.ERR_DOCUMENT_END: "Something stands after the end of the root element; a document has one root element.",
    ErrorTypes.ERR_INVALID_CHAR: "A character stands here, plainly or as &#…;, that XML does not allow.",
    ErrorTypes.ERR_INVALID_CHARREF: "A character reference (&#…;) is not written as XML wants it.",
    ErrorTypes.ERR_INVALID_DEC_CHARREF: "A character reference (&#…;) is not written as XML wants it.",
    ErrorTypes.ERR_INVALID_HEX_CHARREF: "A character reference (&#x…;) is not written as XML wants it.",
    ErrorTypes.ERR_INVALID_ENCODING: (
        "The bytes here are not valid in the document's encoding; a document that declares none is UTF-8."
    ),
    ErrorTypes.ERR_UNDECLARED_ENTITY: "An entity is used that XML itself does not define.",
    ErrorTypes.ERR_ENTITYREF_SEMICOL_MISSING: "A reference that begins with & does not end with a semicolon.",
    ErrorTypes.ERR_LT_IN_ATTRIBUTE: "A '<' stands in an attribute's value; write &lt;.",
    ErrorTypes.ERR_ATTRIBUTE_NOT_STARTED: "An attribute's value does not begin with a quotation mark.",
    ErrorTypes.ERR_ATTRIBUTE_NOT_FINISHED: (
        "An attribute's value does not end: the document is cut off, or a quotation mark is missing."
    ),
    ErrorTypes.ERR_ATTRIBUTE_WITHOUT_VALUE: "An attribute has no value.",
    ErrorTypes.ERR_ATTRIBUTE_REDEFINED: "An attribute is given twice on one element.",
    ErrorTypes.NS_ERR_ATTRIBUTE_REDEFINED: "An attribute is given twice on one element.",
    ErrorTypes.ERR_COMMENT_NOT_FINISHED: "A comment does not end.",
    ErrorTypes.ERR_HYPHEN_IN_COMMENT: "Two hyphens stand inside a comment, which XML does not allow.",
    ErrorTypes.ERR_PI_NOT_FINISHED: "A processing instruction does not end.",
    ErrorTypes.ERR_CDATA_NOT_FINISHED: "A CDATA section does not end.",
    ErrorTypes.ERR_MISPLACED_CDATA_END: "The characters ]]> stand in a text; write ]]&gt;.",
    ErrorTypes.ERR_RESERVED_XML_NAME: (
        "An XML declaration stands where none may: it can only be the very first thing in a document."
    ),
    ErrorTypes.ERR_NAME_REQUIRED: "A name is missing here, or a '<' or '&' stands in a text; write &lt; or &amp;.",
    ErrorTypes.ERR_SPACE_REQUIRED: "A space is missing here, such as between two attributes.",
    ErrorTypes.ERR_GT_REQUIRED: (
        "A tag is not closed with '>': the document is cut off, or an attribute is not written as XML wants it."
    ),
    ErrorTypes.ERR_LTSLASH_REQUIRED: "An element does not end: the document is cut off.",
    ErrorTypes.ERR_TAG_NAME_MISMATCH: "An end tag does not match the element that is open here.",
    ErrorTypes.ERR_TAG_NOT_FINISHED: "An element does not end: the document is cut off, or an end tag is missing.",
    ErrorTypes.ERR_RESOURCE_LIMIT: "The elements are nested too deep, or a text is too long.",
    ErrorTypes.ERR_NAME_TOO_LONG: "A name is too long.",
    ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE: "A prefix is used that no xmlns declares.",
    ErrorTypes.NS_ERR_XML_NAMESPACE: "A namespace declaration uses a name that XML keeps for itself.",
    ErrorTypes.WAR_NS_URI: "A namespace's name is not a valid URI.",
    ErrorTypes.NS_ERR_QNAME: "A name has more than one colon, or a colon at its end.",
}


def words_for(code: int) -> str:
    """Say what is wrong with the document's form, and never quote the document."""
    return _WORDS.get(code, "The document is not well-formed XML.")
