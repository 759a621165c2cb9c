"""Ours and the packs' schemas together: who judges which namespace, put together for libxml2 to open."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from lxml import etree
from lxml.etree import _Element as Element

from messaging.documents.packs import IMPORT, Pack
from messaging.errors import ConfigurationError

PACKS = "packs"
"""The folder of the packs' files, beside ours."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """The schemas that judge: their trees by file, and for each namespace the file and its pack (empty for ours)."""

    sources: Mapping[str, Element]
    served: Mapping[str, tuple[str, str]]


def mix(judges: Mapping[str, Pack], ours: Mapping[str, tuple[str, Element]]) -> Mixture:
    """Let packs judge some namespaces, and ours, given as file and tree, the rest.

    Raises ConfigurationError when a schema that is imported is nowhere.
    """
    theirs = _with_imports(judges, ours)
    sources = {file: deepcopy(root) for namespace, (file, root) in ours.items() if namespace not in theirs}
    served = {namespace: (file, "") for namespace, (file, _) in ours.items()}
    for namespace, pack in theirs.items():
        schema = pack.schemas[namespace]
        served[namespace] = (_place(pack, schema.file), pack.name)
        sources |= {_place(pack, file): pack.linked(file) for file in (schema.file, *schema.included)}
    return Mixture({file: _without_places(root) for file, root in sources.items()}, served)


@contextmanager
def written(sources: Mapping[str, Element]) -> Iterator[Path]:
    """Write schemas to a folder that only we can read or write, for as long as somebody reads them there."""
    with tempfile.TemporaryDirectory(prefix="samhandling-schemas-") as made:
        for name, root in sources.items():
            path = Path(made, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(etree.tostring(root.getroottree(), encoding="utf-8", xml_declaration=True))
        yield Path(made)


def _place(pack: Pack, file: str) -> str:
    return f"{PACKS}/{pack.name}/{file}"


def _with_imports(judges: Mapping[str, Pack], own: Collection[str]) -> dict[str, Pack]:
    """Add what the packs' schemas import and we have not, from the same pack."""
    found = dict(judges)
    waiting = list(judges)
    while waiting:
        pack = found[namespace := waiting.pop()]
        schema = pack.schemas[namespace]
        for wanted in sorted(schema.imports - found.keys() - set(own)):
            if wanted not in pack.schemas:
                raise ConfigurationError(
                    f"The schema pack {pack.name} cannot be used: {schema.file} imports the namespace {wanted!a}, "
                    "which is neither in the pack nor among ours."
                )
            found[wanted] = pack
            waiting.append(wanted)
    return found


def _without_places(root: Element) -> Element:
    """Take from every import where the imported schema lies: it is found by its namespace."""
    for node in root.iter(IMPORT):
        node.attrib.pop("schemaLocation", "")
    return root
