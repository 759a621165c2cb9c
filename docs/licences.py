# ruff: noqa: INP001 - a script, and no package
"""Write docs/licences.md from what is installed: `python docs/licences.py`. A test holds the page to the lock."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"

NOT_ACCEPTED = re.compile(
    r"(?<!L)(?<!L-)\bA?GPL|(?<!Lesser )General Public|Affero|SSPL|Commons Clause|BUSL", re.IGNORECASE
)
"""Licences that would bind whoever runs or changes the exchange; LGPL libraries are used unchanged."""

ELSEWHERE = {"colorama": "BSD-3-Clause"}
"""Locked for other systems than the one this page is written on."""

_LOCKED = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;]+)", re.MULTILINE)
_LONGEST = 60


def locked() -> dict[str, list[str]]:
    """Give every package of the runtime's lock, and its versions: one, or one for each Python it is locked for."""
    found: dict[str, list[str]] = {}
    for name, version in _LOCKED.findall((ROOT / "requirements.lock").read_text(encoding="utf-8")):
        found.setdefault(name, []).append(version)
    return found


def licence(name: str) -> str:
    """Tell a package's licence as its own metadata has it; empty when it says nothing that can be shown."""
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return ELSEWHERE.get(name, "")
    said = package.metadata.get("License-Expression") or _classified(package) or package.metadata.get("License") or ""
    return said if len(said) <= _LONGEST and "\n" not in said else ""


def _classified(package: Distribution) -> str:
    classifiers = package.metadata.get_all("Classifier") or []
    return " OR ".join(one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License ::"))


def page() -> str:
    """Write the page."""
    rows = [f"| {name} | {', '.join(versions)} | {licence(name)} |" for name, versions in sorted(locked().items())]
    return "\n".join(
        [
            "# Licences",
            "",
            "What the exchange runs on, as `requirements.lock` pins it, and under which licence, as each package says",
            "itself. Written by `python docs/licences.py`; a test refuses a package without a known licence, and any",
            "under the GPL or the AGPL.",
            "",
            "| Package | Version | Licence |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
