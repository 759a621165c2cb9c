"""Runs `samhandling` with little to live on: `python starved.py FILES MEMORY serve`; MEMORY in MiB, 0 is no limit."""

from __future__ import annotations

import resource
import sys

from messaging import cli


def starve(files: int, memory: int) -> None:
    """Take the rest away, so that no child of this process gets it back."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))


if __name__ == "__main__":
    starve(int(sys.argv[1]), int(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    cli.main()
