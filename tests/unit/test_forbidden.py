"""What no code here may do with input: the calls and switches that let a document reach beyond its own bytes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from messaging.documents.parser_version import require_safe_parser
from messaging.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
FOLDERS = ("messaging", "adapters", "schemas", "fixtures", "docs", "deploy", "benchmarks")
MODULES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))

NAMES = {
    "XSLT",
    "XInclude",
    "ElementInclude",
    "Schematron",
    "DTD",
    "HTMLParser",
    "objectify",
    "minidom",
    "pulldom",
    "resolve_empty",
    "xinclude",
    "ETCompatXMLParser",
    "iterparse",
}
"""Never named, whatever they are called on."""
PACKAGES = {"pickle", "marshal", "shelve", "jose"}
"""Never imported."""
SWITCHES: dict[str, tuple[object, ...]] = {
    "resolve_entities": (False,),
    "no_network": (True,),
    "load_dtd": (False,),
    "dtd_validation": (False,),
    "attribute_defaults": (False,),
    "recover": (False,),
    "defuse": ("always",),
    "use_location_hints": (False,),
}
"""What each of these may be set to, written out."""
NEVER_SET = {"collect_ids"}
"""Switched off, it loads external DTDs in lxml 6.1.3."""
FETCH = {"validate", "is_valid", "iter_errors", "iter_decode", "to_dict", "to_json", "to_etree"}
"""Functions of xmlschema's own that fetch what xsi:schemaLocation names."""
PATHS = {"xpath", "find", "findall", "findtext", "iterfind"}


def found_in(source: str) -> Iterator[str]:
    """Name each forbidden thing in a source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {part for alias in node.names for part in alias.name.split(".")}
            names |= set((node.module or "").split(".")) if isinstance(node, ast.ImportFrom) else set()
            yield from sorted(names & NAMES)
            whole = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from sorted({name.partition(".")[0] for name in whole} & PACKAGES)
            if isinstance(node, ast.ImportFrom) and node.module == "xmlschema":
                yield from sorted(names & FETCH)
        elif isinstance(node, ast.Attribute) and node.attr in NAMES:
            yield node.attr
        elif isinstance(node, ast.Call):
            yield from _in_call(node)


def _in_call(node: ast.Call) -> Iterator[str]:
    for keyword in node.keywords:
        allowed = SWITCHES.get(keyword.arg or "")
        is_right = isinstance(keyword.value, ast.Constant) and allowed and keyword.value.value in allowed
        if keyword.arg in NEVER_SET or (allowed and not is_right):
            yield f"{keyword.arg}="
    if not isinstance(node.func, ast.Attribute):
        return
    owner, name = node.func.value, node.func.attr
    if isinstance(owner, ast.Name) and (owner.id, name) == ("yaml", "load"):
        yield "yaml.load"
    if isinstance(owner, ast.Name) and owner.id == "xmlschema" and name in FETCH:
        yield f"xmlschema.{name}"
    if isinstance(owner, ast.Name) and (owner.id, name) == ("etree", "parse"):
        yield "etree.parse"
    if name in PATHS and node.args and isinstance(node.args[0], ast.JoinedStr | ast.BinOp):
        yield f"{name}(built)"


def test_nothing_forbidden_is_used() -> None:
    places = {path.relative_to(ROOT).as_posix(): [*found_in(path.read_text(encoding="utf-8"))] for path in MODULES}
    assert len(places) > 100
    assert {place: found for place, found in places.items() if found} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("etree.XSLT(tree)", "XSLT"),
        ("from lxml.etree import XSLT", "XSLT"),
        ("tree.xinclude()", "xinclude"),
        ("from lxml import ElementInclude", "ElementInclude"),
        ("etree.DTD(file)", "DTD"),
        ("from lxml import isoschematron\nisoschematron.Schematron(tree)", "Schematron"),
        ("import lxml.objectify", "objectify"),
        ("from xml.dom import minidom", "minidom"),
        ("from xml.dom import pulldom", "pulldom"),
        ("etree.HTMLParser()", "HTMLParser"),
        ("etree.iterparse(file)", "iterparse"),
        ("etree.parse(url)", "etree.parse"),
        ("etree.XMLParser(collect_ids=False)", "collect_ids="),
        ("etree.XMLParser(collect_ids=True)", "collect_ids="),
        ("etree.XMLParser(recover=True)", "recover="),
        ("etree.XMLParser(recover=lenient)", "recover="),
        ("etree.XMLParser(load_dtd=True)", "load_dtd="),
        ("etree.XMLParser(dtd_validation=True)", "dtd_validation="),
        ("etree.XMLParser(attribute_defaults=True)", "attribute_defaults="),
        ("etree.XMLParser(no_network=False)", "no_network="),
        ("etree.XMLParser(resolve_entities=True)", "resolve_entities="),
        ('etree.XMLParser(resolve_entities="internal")', "resolve_entities="),
        ("self.resolve_empty(context)", "resolve_empty"),
        ("xmlschema.validate(document)", "xmlschema.validate"),
        ("from xmlschema import iter_errors", "iter_errors"),
        ('XMLSchema(text, defuse="remote")', "defuse="),
        ("schema.iter_errors(root, use_location_hints=True)", "use_location_hints="),
        ("root.xpath(f'//a[@id={name}]')", "xpath(built)"),
        ("root.find('.//' + name)", "find(built)"),
        ("import pickle", "pickle"),
        ("yaml.load(text)", "yaml.load"),
        ("from jose import jwt", "jose"),
    ],
)
def test_what_is_forbidden_would_be_found(source: str, found: str) -> None:
    assert found in [*found_in(source)]


@pytest.mark.parametrize("version", [(6, 1, 2, 0), (6, 0, 9), (5, 4, 0, 0)])
def test_an_lxml_that_fetches_is_refused_at_the_start(version: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"6\.1\.3 or newer"):
        require_safe_parser(version)


@pytest.mark.parametrize("version", [(6, 1, 3, 0), (6, 2, 0), (7, 0, 0, 0)])
def test_a_newer_lxml_is_taken(version: tuple[int, ...]) -> None:
    require_safe_parser(version)
    require_safe_parser()
