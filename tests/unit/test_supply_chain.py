"""What the exchange is built from: pinned by hash, all of it known, audited where that can be done, and licensed."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PACKAGES = ("messaging", "adapters", "schemas", "fixtures")
AUDIT = runpy.run_path(str(ROOT / ".ci" / "audit.py"))
LICENCES = runpy.run_path(str(ROOT / "docs" / "licences.py"))
PINNED = re.compile(r"^[a-z0-9._-]+(\[[a-z,]+\])?==\S+( ;[^-]*)?(\s+--hash=sha256:[0-9a-f]{64})+\s*$")


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_a33_a_lock_pins_every_requirement_by_hash_and_names_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert "git+" not in text
    requirements = [block for block in text.replace("\\\n", " ").splitlines() if block and not block.startswith("#")]
    assert len(requirements) > len(PACKAGES)
    assert [requirement[:60] for requirement in requirements if not PINNED.match(requirement)] == []


def test_a33_the_environment_is_installed_with_hashes_only() -> None:
    for place in ("Makefile", "deploy/install"):
        text = (ROOT / place).read_text(encoding="utf-8")
        installs = [line for line in text.splitlines() if "pip install" in line and "-r" in line.split()]
        assert installs, place
        assert [line for line in installs if "--require-hashes" not in line] == [], place


def test_a33_what_is_tested_is_what_runs() -> None:
    runtime, dev = ((ROOT / lock).read_text(encoding="utf-8") for lock in LOCKS)
    pins = [set(re.findall(r"^(\S+==\S+)", text, re.MULTILINE)) for text in (runtime, dev)]
    assert pins[0] - pins[1] == set()


def imports() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
                yield from ((path.relative_to(ROOT).as_posix(), name.partition(".")[0]) for name in names)


def test_a33_every_import_of_the_product_is_in_its_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {
        re.split(r"[^\w.-]", one)[0] for many in project.get("optional-dependencies", {}).values() for one in many
    }
    allowed = set(LICENCES["locked"]()) | {plain(name) for name in extras}
    owners = importlib.metadata.packages_distributions()
    unknown = {
        f"{place}: {name}"
        for place, name in imports()
        if name not in sys.stdlib_module_names and name not in PACKAGES
        if not {plain(owner) for owner in owners.get(name, ())} & allowed
    }
    assert unknown == set()


def test_a33_the_packages_that_are_installed_are_the_locked_ones() -> None:
    pins = dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", (ROOT / LOCKS[0]).read_text(encoding="utf-8"), re.MULTILINE))
    assert len(pins) > 20
    found = {name: importlib.metadata.version(name) for name in pins if name not in LICENCES["ELSEWHERE"]}
    versions = LICENCES["locked"]()
    assert {name: version for name, version in found.items() if version not in versions[name]} == {}


def test_the_page_of_licences_is_made_from_the_lock() -> None:
    assert (ROOT / "docs" / "licences.md").read_text("utf-8") == LICENCES["page"](), "run: python docs/licences.py"


def test_every_licence_is_known_and_accepted() -> None:
    found = {name: LICENCES["licence"](name) for name in LICENCES["locked"]()}
    assert [name for name, said in found.items() if not said] == []
    assert {name: said for name, said in found.items() if LICENCES["NOT_ACCEPTED"].search(said)} == {}


@pytest.mark.parametrize(
    ("said", "accepted"),
    [
        ("GPL-3.0-only", False),
        ("GPLv2", False),
        ("AGPL-3.0-or-later", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("GNU Affero General Public License v3", False),
        ("MIT OR GPL-2.0", False),
        ("LGPL-3.0-or-later", True),
        ("GNU Lesser General Public License v3 or later (LGPLv3+)", True),
        ("MIT", True),
        ("Apache-2.0 OR BSD-3-Clause", True),
    ],
)
def test_licences_that_bind_whoever_runs_it_are_told_from_those_that_do_not(said: str, *, accepted: bool) -> None:
    assert bool(LICENCES["NOT_ACCEPTED"].search(said)) is not accepted


def package(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "version": "1", **more}


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ({"dependencies": [package("a", vulns=[])]}, 0),
        ({"dependencies": [package("a", vulns=[{"id": "X-1"}]), package("b", skip_reason="unknown")]}, 1),
        ({"dependencies": [package("a", vulns=[]), package("b", skip_reason="unknown")]}, 75),
        ({"dependencies": []}, 75),
        (None, 75),
    ],
)
def test_a33_an_audit_that_did_not_ask_about_everything_is_no_clean_one(
    found: dict[str, Any] | None, code: int
) -> None:
    assert AUDIT["verdict"](found)[0] == code


def test_a33_a_source_of_advisories_that_cannot_be_reached_is_said_aloud() -> None:
    away = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, str(ROOT / ".ci" / "audit.py")],
        env={**os.environ, **away, "NO_PROXY": "", "no_proxy": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 75, done.stdout + done.stderr
    assert done.stdout.count("NOT AUDITED") == 2


def test_the_bill_of_materials_names_every_locked_package_with_its_hashes(tmp_path: Path) -> None:
    file = tmp_path / "sbom.json"
    command = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nsbom:")[2].partition("\n\n")[0]
    words = command.splitlines()[-1].split()
    assert words[0].endswith("/cyclonedx-py")
    subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", *words[1:-1], str(file)], cwd=ROOT, check=True
    )
    told = json.loads(file.read_text(encoding="utf-8"))
    assert (told["bomFormat"], told["metadata"]["component"]["name"]) == ("CycloneDX", "samhandling")
    assert {one["name"] for one in told["components"]} == set(LICENCES["locked"]())
    assert all(one["externalReferences"][0]["hashes"] for one in told["components"])
