"""Which lxml may read documents: older ones fetched what a document names, in spite of being told not to."""

from __future__ import annotations

from lxml import etree

from messaging.errors import ConfigurationError

OLDEST = (6, 1, 3)
"""Until 6.1.2 external parameter entities were fetched even where entities were switched off (LP#2165901)."""


def require_safe_parser(version: tuple[int, ...] = etree.LXML_VERSION) -> None:
    """Refuse to read anything with an lxml that is too old; raises ConfigurationError."""
    if version[:3] < OLDEST:
        wanted, found = (".".join(map(str, one[:3])) for one in (OLDEST, version))
        raise ConfigurationError(
            f"lxml {found} is installed, and {wanted} or newer is needed to read documents safely."
        )
