"""How long the judge takes for each document of a folder, and how much it grows (`refusals.py FOLDER`).

The folder may hold attacks, malformed documents, anything; what is asked is only how soon it is answered.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import fixtures
from messaging.documents import Catalogue, Validator

SHOWN = 5


def main(folder: Path) -> None:
    validator = Validator(Catalogue.load())
    for name in fixtures.valid() + fixtures.invalid():
        validator.judge(fixtures.read(name))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took: list[tuple[float, str]] = []
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        content = path.read_bytes()
        begun = time.process_time()
        validator.judge(content)
        took.append((time.process_time() - begun, path.relative_to(folder).as_posix()))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    took.sort()
    print(f"{len(took)} documents; median {took[len(took) // 2][0] * 1000:.2f} ms; grown {grown / 1000:.0f} MB")
    for seconds, name in took[: -SHOWN - 1 : -1]:
        print(f"{seconds * 1000:8.1f} ms  {name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
