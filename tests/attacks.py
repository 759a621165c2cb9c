"""The collection of attacks beside the checkout, and what each must be answered with at the doors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from world import SHARED

ATTACKS = SHARED / "security" / "attacks"
MANIFEST = ATTACKS / "manifest.jsonl"
ABSENT = f"the collection of attacks is not at {ATTACKS}"

READ_ALL_THE_SAME = {
    "enc-nodecl-utf-7": "declares nothing, and is plain ASCII: read as UTF-8, and nothing in it hides",
    "enc-decl-iso_8859_1": "is one of the two encodings that the standards allow",
}
"""Where this exchange answers otherwise than the collection's strictest policy, and why that is right."""

UNREADABLE_ALL_THE_SAME = {
    "inj-msgid-log-ansi": "holds an escape character, which XML does not allow",
    "longname-40k": "a name of 40 000 characters is over the limit of names, before any schema is asked",
}

UNREADABLE, READ, EITHER = "unreadable", "read", "either"
_EXPECTED = {
    "accept": READ,
    "accept-neutralised-or-422": EITHER,
    "accept-or-422": EITHER,
    "accept-or-limit": EITHER,
    "policy": EITHER,
    "policy: accept only utf-8": UNREADABLE,
    "reject": EITHER,
    "reject-400": UNREADABLE,
    "reject-400-limit-or-422": EITHER,
    "reject-400/415": UNREADABLE,
    "reject-415": UNREADABLE,
    "reject-422-msgid or accept inert": READ,
    "reject-422-schema": READ,
    "reject-422-unknown-root": READ,
    "reject-422/403 (sender spoof)": READ,
    "reject-or-canonical": READ,
    "reject-signature": READ,
}
"""By the longest beginning of the manifest's words: whether the document can be read; none holds a valid payload."""


@dataclass(frozen=True)
class Attack:
    """One entry of the manifest."""

    id: str
    category: str
    expect: str
    file: str

    @property
    def content(self) -> bytes:
        return Path(ATTACKS / self.file).read_bytes()

    @property
    def expected(self) -> str:
        if self.id in READ_ALL_THE_SAME:
            return READ
        if self.id in UNREADABLE_ALL_THE_SAME:
            return UNREADABLE
        return _EXPECTED[max((words for words in _EXPECTED if self.expect.startswith(words)), key=len)]


def attacks() -> list[Attack]:
    lines = MANIFEST.read_text().splitlines() if MANIFEST.exists() else []
    told = [json.loads(line) for line in lines]
    return [Attack(one["id"], one["category"], one["expect"], one["file"]) for one in told]
