"""Schema packs: XSDs that an operator holds, installed beside ours, and the choice of which judges what.

A pack has one file for each namespace. Where a file says that another one lies (schemaLocation) is never followed:
imports are resolved by namespace, includes by file name inside the pack.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

from lxml.etree import _Element as Element

from messaging.documents.names import XML_SCHEMA, XMLDSIG, qualified
from messaging.documents.reader import read
from messaging.documents.unpacking import gather
from messaging.errors import ConfigurationError
from messaging.model.faults import Fault
from messaging.model.limits import Limits

OURS = "ours"
"""The name of the project's own schemas, where the name of a pack may stand."""

SCHEMA = qualified(XML_SCHEMA, "schema")
IMPORT = qualified(XML_SCHEMA, "import")
INCLUDE = qualified(XML_SCHEMA, "include")

_REFUSED_ELEMENTS = tuple(qualified(XML_SCHEMA, name) for name in ("redefine", "override"))
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SIGNATURES = re.compile(rb"targetNamespace\s*=\s*[\"']" + re.escape(XMLDSIG.encode()) + rb"[\"']")

_OF_SCHEMAS = Limits(prolog_bytes=65_536, stylesheets=True)
"""Schemas begin with long comments, and say how to show them."""

_MANIFEST = "pack.toml"
_CHOICE = "used.toml"
_READABLE = 0o755
"""Who installs and who serves may be two users; schemas are no secret."""
_MEND = "put back what was there, or let ours judge again: `samhandling schemas use ours`."


@dataclass(frozen=True, slots=True)
class PackSchema:
    """The file of a pack that serves a namespace, the files that it includes, and the namespaces they import."""

    file: str
    included: tuple[str, ...]
    imports: frozenset[str]


class Pack:
    """XSDs that belong together, by their path inside the pack; `schemas` tells by namespace which one serves it.

    The schema of xmldsig is left out: the official file has a DOCTYPE, and ours says the same.
    """

    def __init__(self, name: str, files: Mapping[str, bytes]) -> None:
        self.name = require_name(name)
        self.files = {file: content for file, content in files.items() if not _SIGNATURES.search(content)}
        self._roots = {file: self._root(file) for file in self.files}
        self._includes = {file: tuple(self._included(file)) for file in self.files}
        self.schemas = self._schemas()

    @classmethod
    def of(cls, source: Path, name: str = "") -> Pack:
        """Read a folder or a ZIP; without a name of its own the pack is called after it.

        Raises ConfigurationError that names the file at fault.
        """
        return cls(name or re.sub(r"[^a-z0-9._-]+", "-", source.resolve().stem.lower()).strip("-._"), gather(source))

    def linked(self, file: str) -> Element:
        """Give a file's tree anew, with the includes led to the files of the pack."""
        root = self._root(file)
        for node in root.iter(INCLUDE):
            target = self._find(file, node.get("schemaLocation") or "")
            node.set("schemaLocation", quote(os.path.relpath(target, PurePosixPath(file).parent)))
        return root

    def digest(self, file: str) -> str:
        """Tell the SHA-256 of a file, in hexadecimal."""
        return hashlib.sha256(self.files[file]).hexdigest()

    def _complaint(self, file: str, what: str) -> ConfigurationError:
        return ConfigurationError(f"The schema pack {self.name} cannot be used: {file} {what}")

    def _root(self, file: str) -> Element:
        tree = read(self.files[file], _OF_SCHEMAS)
        if isinstance(tree, Fault):
            place = f" line {tree.line}" if tree.line else ""
            raise self._complaint(f"{file}{place}", f"cannot be read. {tree.text}")
        if tree.root.tag != SCHEMA:
            raise self._complaint(file, "is no XML schema.")
        if next(tree.root.iter(*_REFUSED_ELEMENTS), None) is not None:
            raise self._complaint(file, "redefines another schema, which is not taken.")
        return tree.root

    def _included(self, file: str) -> Iterator[str]:
        for node in self._roots[file].iter(INCLUDE):
            target = self._find(file, node.get("schemaLocation") or "")
            namespace = self._roots[target].get("targetNamespace")
            if namespace not in (None, self._roots[file].get("targetNamespace")):
                raise self._complaint(file, f"includes {target}, which is of another namespace.")
            yield target

    def _find(self, file: str, location: str) -> str:
        """Find an included file: the one of that name in the same folder, or the only one of that name in the pack."""
        name = unquote(location.replace("\\", "/").rpartition("/")[2])
        beside = str(PurePosixPath(file).with_name(name)) if name else ""
        alike = [other for other in self.files if PurePosixPath(other).name == name]
        if beside in self.files:
            return beside
        if len(alike) != 1:
            raise self._complaint(file, f"includes {name!a}, and the pack has {len(alike)} files of that name.")
        return alike[0]

    def _schemas(self) -> dict[str, PackSchema]:
        inner = {target for targets in self._includes.values() for target in targets}
        found: dict[str, PackSchema] = {}
        for file in sorted(set(self.files) - inner):
            namespace = self._roots[file].get("targetNamespace")
            if not namespace or not namespace.isprintable():
                raise self._complaint(file, "has no usable target namespace, and no other file includes it.")
            one = self._schema(file)
            same = found.setdefault(namespace, one)
            if self.files[same.file] != self.files[file]:
                raise self._complaint(file, f"serves the namespace {namespace}, and so does {same.file}; keep one.")
        if not found:
            raise ConfigurationError(f"The schema pack {self.name} has no schema that stands on its own.")
        return found

    def _schema(self, file: str) -> PackSchema:
        included = dict[str, None]()
        waiting = [file]
        while waiting:
            for target in self._includes[waiting.pop()]:
                if target not in included:
                    included[target] = None
                    waiting.append(target)
        imports = {node.get("namespace") or "" for one in (file, *included) for node in self._roots[one].iter(IMPORT)}
        return PackSchema(file, tuple(included), frozenset(imports))


def require_name(name: str) -> str:
    """Let a pack have a name that can be a folder's and is not ours; raises ConfigurationError."""
    if name == OURS or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name[:64]!a} cannot be a pack's name; give it one of small letters, digits, points and hyphens."
        )
    return name


class Shelf:
    """The folder of installed packs, and the file in it that says which one judges which namespace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Name the installed packs."""
        return sorted(manifest.parent.name for manifest in self.folder.glob(f"*/{_MANIFEST}"))

    def pack(self, name: str) -> Pack:
        """Open an installed pack; raises ConfigurationError when it is none, or not what was installed."""
        folder = self.folder / require_name(name)
        try:
            manifest = tomllib.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
            recorded = {str(file["name"]): str(file["sha256"]) for file in manifest["file"]}
        except FileNotFoundError:
            raise ConfigurationError(
                f"There is no schema pack {name} in {self.folder}; `samhandling schemas list` names those there are."
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{_MANIFEST} of the schema pack {name} cannot be read; {_MEND}") from error
        files = gather(folder)
        found = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
        changed = sorted(file for file in found.keys() | recorded.keys() if found.get(file) != recorded.get(file))
        if changed:
            what = f"{changed[0]} and {len(changed) - 1} more" if changed[1:] else changed[0]
            raise ConfigurationError(f"The schema pack {name} is not as it was installed: {what}; {_MEND}")
        return Pack(name, files)

    def keep(self, pack: Pack) -> None:
        """Install a pack: its files as they are, and their hashes. Raises ConfigurationError when the name is taken."""
        target = self.folder / pack.name
        if target.exists():
            raise ConfigurationError(f"There is a schema pack {pack.name} already; give this one another --name.")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".installing-", dir=self.folder) as made:
                for file, content in pack.files.items():
                    path = Path(made, file)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                Path(made, _MANIFEST).write_text(_manifest(pack), encoding="utf-8")
                Path(made).chmod(_READABLE)
                Path(made).rename(target)
        except OSError as error:
            raise ConfigurationError(f"{self.folder} cannot be written: {error.strerror}.") from error

    def choice(self) -> dict[str, str]:
        """Tell which pack judges which namespace; ours judges the rest."""
        try:
            used = tomllib.loads((self.folder / _CHOICE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{self.folder / _CHOICE} cannot be read; {_MEND}") from error
        if not all(isinstance(name, str) for name in used.values()):
            raise ConfigurationError(f"{self.folder / _CHOICE} must name a pack for each namespace; {_MEND}")
        return used

    def choose(self, choice: Mapping[str, str]) -> None:
        """Write down which pack judges which namespace; it holds from the next start."""
        lines = ["# Which schema pack judges which namespace; written by `samhandling schemas use`."]
        lines += [f"{_quoted(namespace)} = {_quoted(name)}" for namespace, name in sorted(choice.items())]
        written = self.folder / f".{_CHOICE}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            written.write_text("\n".join(lines) + "\n", encoding="utf-8")
            written.replace(self.folder / _CHOICE)
        except OSError as error:
            raise ConfigurationError(f"{self.folder} cannot be written: {error.strerror}.") from error

    def judges(self) -> dict[str, Pack]:
        """Open the packs that judge, by namespace; raises ConfigurationError when one cannot be trusted."""
        choice = self.choice()
        packs = {name: self.pack(name) for name in dict.fromkeys(choice.values())}
        for namespace, name in choice.items():
            if namespace not in packs[name].schemas:
                raise ConfigurationError(
                    f"{_CHOICE} lets the schema pack {name} judge {namespace!a}, which it has not; {_MEND}"
                )
        return {namespace: packs[name] for namespace, name in choice.items()}


def _manifest(pack: Pack) -> str:
    lines = [
        "# The files of this schema pack and their SHA-256, as installed; the exchange does not start with others."
    ]
    served = {schema.file: namespace for namespace, schema in pack.schemas.items()}
    for file in sorted(pack.files):
        lines += ["", "[[file]]", f"name = {_quoted(file)}", f"sha256 = {_quoted(pack.digest(file))}"]
        if file in served:
            lines.append(f"namespace = {_quoted(served[file])}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Write a TOML string: TOML reads it as JSON does, save for characters that no name here has."""
    return json.dumps(text, ensure_ascii=False)
