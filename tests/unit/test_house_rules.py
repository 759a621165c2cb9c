"""The rules of the house that no linter knows: where things stand, what they are called, how long they may be."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from messaging import spi

ROOT = Path(__file__).parents[2]
PACKAGES = ("messaging", "adapters", "schemas", "fixtures")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
SAY_NOTHING = {"manager", "helper", "util", "common", "base", "processor"}
READS_XML = {"parse", "iterparse", "fromstring", "fromstringlist", "XML", "XMLParser", "XMLPullParser", "HTMLParser"}
READERS = {"messaging/documents/reader.py", "messaging/documents/catalogue.py"}
"""The hardened parser, and the compiler of our own schemas."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """Name every module that a file imports, also within functions."""
    found = set[str]()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def definitions(path: Path) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def calls_on(path: Path, owners: set[str], attributes: set[str]) -> list[str]:
    """Find `owner.attribute` in a file."""
    return [
        f"{name_of(path)}:{node.lineno}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr in attributes
        and isinstance(node.value, ast.Name)
        and node.value.id in owners
    ]


def test_every_folder_of_tests_is_run_by_make_test_or_by_make_faults() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    run = [ROOT / name for name in options["testpaths"]] + [ROOT / "tests" / "faults"]
    assert [name_of(one) for one in folders if not any(one.is_relative_to(path) for path in run)] == []
    assert "pytest -q -n 2 tests/faults" in (ROOT / "Makefile").read_text("utf-8")


def test_only_one_module_names_the_http_client_library() -> None:
    users = {name_of(path) for path in MODULES if any(name.split(".")[0] == "httpx" for name in imports(path))}
    assert users == {"messaging/http.py"}


def test_whoever_calls_by_the_settings_calls_within_reach() -> None:
    unguarded = {"messaging/calling.py", "messaging/demo"}
    others = [path for path in MODULES if not name_of(path).startswith(tuple(unguarded))]
    made = [
        f"{name_of(path)}:{node.lineno}"
        for path in others
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"AsyncClient", "Client"}
        if f"messaging.http.{node.func.id}" in imports(path)
    ]
    assert made == []


def test_xml_is_read_in_one_place() -> None:
    others = [path for path in MODULES if name_of(path) not in READERS]
    assert [place for path in others for place in calls_on(path, {"etree", "ElementTree"}, READS_XML)] == []
    unsafe = ("xml.etree", "xml.dom", "xml.sax", "xml.parsers", "lxml.html", "lxml.objectify")
    harmless = ("xml.sax.saxutils",)
    users = [
        f"{name_of(path)}: {name}"
        for path in MODULES
        for name in imports(path)
        if name.startswith(unsafe) and not name.startswith(harmless)
    ]
    assert users == []
    imported = {f"lxml.etree.{name}" for name in READS_XML}
    assert [name_of(path) for path in others if imports(path) & imported] == []


def test_time_comes_from_the_clock() -> None:
    others = [path for path in MODULES if name_of(path) != "messaging/model/clock.py"]
    found = [place for path in others for place in calls_on(path, {"datetime", "date"}, {"now", "utcnow", "today"})]
    assert found == []


def words(name: str) -> set[str]:
    """Split a name in either style, and take the plural off."""
    parts = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)
    return {part.lower() for part in parts} | {part.lower().removesuffix("s") for part in parts}


def test_no_name_says_nothing() -> None:
    names = [
        *((name_of(path), path.stem) for path in MODULES),
        *((name_of(path), part) for path in MODULES for part in path.relative_to(ROOT).parts[:-1]),
        *((name_of(path), node.name) for path in MODULES for node in definitions(path)),
    ]
    assert [f"{place}: {name}" for place, name in names if words(name) & SAY_NOTHING] == []


def test_no_module_and_no_function_is_too_long() -> None:
    long = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: lines for name, lines in long.items() if lines > LONGEST_MODULE} == {}
    functions = {
        f"{name_of(path)}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in definitions(path)
        if not isinstance(node, ast.ClassDef) and "migrations/versions" not in name_of(path)
    }
    assert {name: lines for name, lines in functions.items() if lines > LONGEST_FUNCTION} == {}


def test_an_adapter_sees_exactly_this_of_the_exchange() -> None:
    assert sorted(spi.__all__) == [
        "Accepted",
        "Adapter",
        "AdapterKind",
        "Deferred",
        "NotNow",
        "Outcome",
        "Parcel",
        "Reach",
        "Refused",
        "Rejected",
        "Sent",
        "Submission",
        "Submit",
        "Verdict",
    ]
    own = {
        name
        for name, value in vars(spi).items()
        if getattr(value, "__module__", spi.__name__) == spi.__name__ and not name.startswith("_")
    }
    assert own - {"annotations"} <= set(spi.__all__)


def test_every_package_of_the_wheel_is_a_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == list(PACKAGES)
    folders = {path.parent for path in MODULES} | {ROOT / package for package in PACKAGES}
    loaded_by_path = {ROOT / "messaging" / "store" / "migrations" / "versions"}
    missing = [name_of(folder) for folder in folders - loaded_by_path if not (folder / "__init__.py").exists()]
    assert missing == []


MACHINE = re.compile(r"(?<![\w.])/(?:work|tmp|home|root|Users)/")
REGISTRY = re.compile(
    r"\b(?:pypi\.org|pythonhosted\.org|docker\.io|ghcr\.io|artifactory|nexus)\b|--(?:extra-)?index-url"
)


def texts() -> list[Path]:
    """Name every file of ours that a person or a machine reads."""
    folders = [*PACKAGES, "docs", "deploy", "benchmarks", ".ci"]
    kinds = {".py", ".md", ".toml", ".xml", ".xsd", ".yml", ".lock", ""}
    inside = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    above = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    return sorted(path for path in inside + above if path.suffix in kinds and "__pycache__" not in path.parts)


def test_no_file_knows_a_machine_or_a_package_registry() -> None:
    files = {name_of(path): path.read_bytes().decode("utf-8", "replace") for path in texts()}
    assert len(files) > len(MODULES)
    assert [name for name, text in files.items() if MACHINE.search(text)] == []
    assert [name for name, text in files.items() if REGISTRY.search(text)] == []
