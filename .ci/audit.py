# ruff: noqa: INP001 - a script, and no package
"""Ask whether a known weakness stands in the locked dependencies: `python .ci/audit.py`.

Exit code 0: every locked package was asked about, and none has a known one. 1: there are some, and they are listed.
75: it could not be asked about all of them, so that nobody may believe that there are none.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CLEAN, WEAK, NOT_ASKED = 0, 1, 75
LOCKS = ("requirements.lock", "requirements-dev.lock")
_PATIENCE = 300


def verdict(found: dict[str, Any] | None) -> tuple[int, str]:
    """Say what an answer of pip-audit is worth (None: no answer); what was passed over was not asked about."""
    if found is None:
        return NOT_ASKED, "NOT AUDITED: the source of advisories could not be reached."
    weak = [
        f"{one['name']} {one['version']}: {', '.join(vuln['id'] for vuln in one['vulns'])}"
        for one in found["dependencies"]
        if one.get("vulns")
    ]
    if weak:
        return WEAK, "\n".join(["KNOWN WEAKNESSES:", *weak])
    asked = sum("vulns" in one for one in found["dependencies"])
    if not asked or asked < len(found["dependencies"]):
        return (
            NOT_ASKED,
            f"NOT AUDITED: the source of advisories knows {asked} of {len(found['dependencies'])} packages.",
        )
    return CLEAN, f"{asked} packages audited: no known weakness."


def ask(lock: Path) -> dict[str, Any] | None:
    """Run pip-audit over a lock and its hashes, installing nothing."""
    words = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json", "-r", str(lock)]
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-m", "pip_audit", *words], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None
    return answer


def main() -> int:
    """Audit every lock; a known weakness weighs more than a question without an answer."""
    root = Path(__file__).resolve().parents[1]
    codes = set()
    for lock in LOCKS:
        code, words = verdict(ask(root / lock))
        codes.add(code)
        print(f"{lock}: {words}", flush=True)  # noqa: T201 - what the script is for
    return next(code for code in (WEAK, NOT_ASKED, CLEAN) if code in codes)


if __name__ == "__main__":
    sys.exit(main())
