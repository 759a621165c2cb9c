"""The terms of a run under faults: its seed, how long it lasts, and settings that hurry."""

from __future__ import annotations

import os
import time
from pathlib import Path

from messaging.settings import Settings

SEED = int(os.environ.get("FAULTS_SEED") or time.time_ns() % 1_000_000)
os.environ["FAULTS_SEED"] = str(SEED)  # for the processes among which the tests are divided
SECONDS = float(os.environ.get("FAULTS_SECONDS") or 8)
"""How long each storm blows on each database."""
KEPT = Path(os.environ.get("FAULTS_FOLDER") or "faults-kept")
"""Where the folders of broken runs are kept."""
REPORT = Path(os.environ.get("FAULTS_REPORT") or "dist/faults.json")
"""Where the figures of all runs are written."""


def hurried(database_url: str, folder: Path, **more: object) -> Settings:
    """Let retries and leases come round within a run."""
    return Settings.model_validate(
        {
            "database_url": database_url,
            "key_file": folder / "key",
            "requests_per_second": 0,
            "failures_per_minute": 0,
            "disk_reserve_bytes": 0,
            "lease_seconds": 2,
            "retry_first_seconds": 0.1,
            "retry_longest_seconds": 1,
            "circuit_threshold": 50,
            "circuit_pause_seconds": 0.5,
            "calls_allowed": ("127.0.0.0/8",),
            "log_format": "json",
            **more,
        }
    )
