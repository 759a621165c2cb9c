"""The figures of runs: what each test saw, told in one line at the end, and kept in one file."""

from __future__ import annotations

from collections import Counter
from typing import Any

from faults.evidence import OK, Evidence

KEPT_AS = "faults"
"""The name of the property under which a test's report carries its figures."""
RUNS: list[dict[str, Any]] = []
"""The runs of the test that is under way in this process."""


def figures(evidence: Evidence, rules: list[str]) -> dict[str, Any]:
    """Count what a run was; `rules` are those that were broken."""
    posts = Counter(row["outcome"] for row in evidence.operations if row["op"] == "post")
    arrived = [row["delivery_id"] for row in evidence.operations if row["op"] == "arrived"]
    begun = Counter(rule.partition(" ")[0] for rule in rules)
    return {
        "accepted": len(
            {row["message_id"] for row in evidence.operations if row["op"] == "post" and row.get("message_id")}
        ),
        "answered_ok": posts[OK],
        "unknown": posts["unknown"],
        "kept": len(evidence.messages),
        "lost": begun["I1"],
        "invented": begun["I2"],
        "handed_over_again": len(arrived) - len(set(arrived)),
        "ended": dict(sorted(Counter(row["state"] for row in evidence.deliveries).items())),
        "promises_broken": len(rules),
    }


def told(name: str, run: dict[str, Any]) -> str:
    """Tell a run in one line."""
    return (
        f"{name}: {run.get('strikes', 0)} strikes, {run.get('kills', 0)} kills survived; "
        f"{run['accepted']} messages accepted, {run['lost']} lost, {run['invented']} invented, "
        f"{run['handed_over_again']} handed over more than once; longest recovery {run.get('slowest_start', 0):.1f} s; "
        f"{run['promises_broken']} promises broken"
    )
