"""Which schema serves which document: `schemas/catalogue.toml`, and its schemas compiled together."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast
from xml.sax.saxutils import quoteattr

from lxml import etree
from lxml.etree import _Element as Element

from messaging.documents.names import XML_SCHEMA, qualified
from messaging.documents.vocabulary import Vocabulary
from messaging.errors import ConfigurationError

_REFERENCES = tuple(qualified(XML_SCHEMA, name) for name in ("import", "include", "redefine"))

EnvelopeKind = Literal["msghead", "apprec"]


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """One schema of the catalogue: the file that serves a namespace."""

    file: str
    namespace: str
    title: str
    version: str


@dataclass(frozen=True, slots=True)
class MessageKind:
    """One message type in one version, as the catalogue names it.

    `type` is the 8279 code; `payload` the payload's root, and after a slash the child that decides where one root
    serves several types; `apprec` the AppRec version that answers it, empty when nothing does; `statuses` the codes of
    list 7309 that it may carry.
    """

    type: str
    title: str
    english: str
    version: str
    namespace: str
    payload: str
    envelope: EnvelopeKind
    apprec: str
    statuses: tuple[str, ...]

    @property
    def root(self) -> str:
        """The local name of the payload's root."""
        return self.payload.partition("/")[0]

    @property
    def child(self) -> str:
        """The local name of the child that decides; empty when the root alone does."""
        return self.payload.partition("/")[2]


class Catalogue:
    """The message types that are taken, and the schemas that they follow."""

    def __init__(self, folder: Path, schemas: tuple[SchemaFile, ...], kinds: tuple[MessageKind, ...]) -> None:
        self._folder = folder.resolve()
        self._sources = {schema.file: _source(folder, schema.file) for schema in schemas}
        self.schemas = schemas
        self.kinds = kinds
        self._require_own_imports()

    @classmethod
    def load(cls) -> Catalogue:
        """Read the shipped catalogue and compile it; raises ConfigurationError naming the file at fault."""
        return cls.read(Path(str(files("schemas"))))

    @classmethod
    def read(cls, folder: Path) -> Catalogue:
        """Read and compile the catalogue in a folder; raises ConfigurationError naming the file at fault."""
        try:
            content = tomllib.loads((folder / "catalogue.toml").read_text(encoding="utf-8"))
            schemas = tuple(SchemaFile(**entry) for entry in content["schema"])
            kinds = tuple(_kind(entry) for entry in content["message"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"schemas/catalogue.toml cannot be used: {error}") from error
        catalogue = cls(folder, schemas, kinds)
        catalogue.compile()
        return catalogue

    def compile(self) -> etree.XMLSchema:
        """Compile all schemas into one; takes about 10 ms. A compiled schema serves one thread at a time.

        libxml2 opens the files itself: to hand them over by a resolver of lxml's is unsafe while other threads parse,
        because the resolver in force is then one for all threads, and what is not found is skipped with a mere warning.
        """
        try:
            schema = etree.XMLSchema(etree.fromstring(self._driver, _parser()))
        except etree.LxmlError as error:
            raise ConfigurationError(self._complaint(cast("Any", error).error_log)) from error
        warnings = [*cast("Any", schema).error_log]
        if warnings:
            raise ConfigurationError(self._complaint(warnings))
        return schema

    def kinds_in(self, namespace: str) -> tuple[MessageKind, ...]:
        """Find the message types whose payload is of this namespace; none when it is not a message's."""
        return self._by_namespace.get(namespace, ())

    @cached_property
    def _by_namespace(self) -> dict[str, tuple[MessageKind, ...]]:
        namespaces = dict.fromkeys(kind.namespace for kind in self.kinds)
        return {name: tuple(kind for kind in self.kinds if kind.namespace == name) for name in namespaces}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Every name and value that the schemas themselves spell: what may be said aloud about a document."""
        return Vocabulary.of(self._sources.values())

    @cached_property
    def _driver(self) -> bytes:
        """The schema that imports every namespace with its place, so that all are compiled as one."""
        imports = "".join(
            f"<xs:import namespace={quoteattr(schema.namespace)}"
            f" schemaLocation={quoteattr((self._folder / schema.file).as_uri())}/>"
            for schema in self.schemas
        )
        return f'<xs:schema xmlns:xs="{XML_SCHEMA}">{imports}</xs:schema>'.encode()

    def _require_own_imports(self) -> None:
        """Let a schema import only what the catalogue names: nothing from the network, nothing from elsewhere."""
        own = {self._folder / name for name in self._sources}
        for name, root in self._sources.items():
            for node in root.iter(*_REFERENCES):
                location = node.get("schemaLocation")
                if location and (self._folder / name).parent.joinpath(location).resolve() not in own:
                    place = f"schemas/{name} line {node.sourceline}"
                    raise ConfigurationError(f"{place} refers to a schema that schemas/catalogue.toml does not name")

    def _complaint(self, log: Iterable[Any]) -> str:
        """Say which schema does not compile; what libxml2 says of our own schemas may be quoted."""
        for entry in log:
            for name in self._sources:
                if str(entry.filename).endswith((self._folder / name).as_posix()):
                    return f"schemas/{name} line {entry.line} does not compile: {entry.message}"
        return "The schemas named in schemas/catalogue.toml do not compile: " + "; ".join(e.message for e in log)


def _kind(entry: Mapping[str, Any]) -> MessageKind:
    if entry["envelope"] not in ("msghead", "apprec"):
        raise ValueError(f"envelope of {entry['type']} must be msghead or apprec")
    return MessageKind(**{**entry, "statuses": tuple(entry["statuses"])})


def _source(folder: Path, name: str) -> Element:
    try:
        return etree.fromstring((folder / name).read_bytes(), _parser())
    except OSError as error:
        raise ConfigurationError(f"schemas/{name} is named in schemas/catalogue.toml and cannot be read") from error
    except etree.XMLSyntaxError as error:
        raise ConfigurationError(f"schemas/{name} line {error.lineno} is not XML: {error.msg}") from error


def _parser() -> etree.XMLParser:
    return etree.XMLParser(no_network=True, resolve_entities=False, load_dtd=False)
