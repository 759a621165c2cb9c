"""Which schema serves which document: `schemas/catalogue.toml`, and its schemas compiled together."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast, get_args
from urllib.parse import unquote
from xml.sax.saxutils import quoteattr

from lxml import etree
from lxml.etree import _Element as Element

from messaging.documents.compiling import require_bounded
from messaging.documents.judges import PACKS, mix, written
from messaging.documents.names import XML_SCHEMA, qualified
from messaging.documents.packs import Pack, Shelf
from messaging.documents.vocabulary import Vocabulary
from messaging.errors import ConfigurationError

_REFERENCES = tuple(qualified(XML_SCHEMA, name) for name in ("import", "include", "redefine"))

_COSTLY = tuple(qualified(XML_SCHEMA, name) for name in ("pattern", "unique", "key", "keyref"))

EnvelopeKind = Literal["msghead", "message", "apprec"]


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """One schema of the catalogue: the file that serves a namespace, ours or that of a pack."""

    file: str
    namespace: str
    title: str = ""
    version: str = ""
    pack: str = ""


@dataclass(frozen=True, slots=True)
class MessageKind:
    """One message type in one version, as the catalogue names it.

    `type` is the 8279 code; `payload` the payload's root, and after a slash the child that decides where one root
    serves several types; `envelope` is msghead where the payload lies in a MsgHead, message where its own root Message
    says what MsgHead would; `apprec` the AppRec version that answers it, empty when nothing does; `statuses` the codes
    of list 7309 that it may carry.
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

    def __init__(
        self,
        schemas: tuple[SchemaFile, ...],
        kinds: tuple[MessageKind, ...],
        sources: Mapping[str, Element],
        folder: Path | None = None,
    ) -> None:
        self.schemas = schemas
        self.kinds = kinds
        self._sources = sources
        self._folder = folder

    @classmethod
    def load(cls, packs: Path | None = None) -> Catalogue:
        """Read the shipped catalogue and compile it, with the packs in a folder that were chosen to judge.

        Raises ConfigurationError naming the file at fault.
        """
        own = cls.read(Path(str(files("schemas"))))
        judges = Shelf(packs).judges() if packs else {}
        return own.judged_by(judges) if judges else own

    @classmethod
    def read(cls, folder: Path) -> Catalogue:
        """Read and compile the catalogue in a folder; raises ConfigurationError naming the file at fault."""
        try:
            content = tomllib.loads((folder / "catalogue.toml").read_text(encoding="utf-8"))
            schemas = tuple(SchemaFile(**entry) for entry in content["schema"])
            kinds = tuple(_kind(entry) for entry in content["message"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"schemas/catalogue.toml cannot be used: {error}") from error
        sources = {schema.file: _source(folder, schema.file) for schema in schemas}
        _require_own_imports(folder.resolve(), sources)
        catalogue = cls(schemas, kinds, sources, folder.resolve())
        catalogue.compile()
        return catalogue

    def judged_by(self, judges: Mapping[str, Pack]) -> Catalogue:
        """Let packs judge some namespaces instead of ours; raises ConfigurationError when all do not compile as one."""
        known = {schema.namespace: schema for schema in self.schemas}
        mixed = mix(judges, {name: (one.file, self._sources[one.file]) for name, one in known.items()})
        schemas = tuple(
            replace(known.get(namespace) or SchemaFile(file, namespace), file=file, pack=pack)
            for namespace, (file, pack) in mixed.served.items()
        )
        catalogue = Catalogue(schemas, self.kinds, mixed.sources)
        with catalogue.driver() as driver:
            require_bounded(driver)
        catalogue.compile()
        return catalogue

    def compile(self) -> etree.XMLSchema:
        """Compile all schemas into one; takes about 10 ms. A compiled schema serves one thread at a time.

        libxml2 opens the files itself: to hand them over by a resolver of lxml's is unsafe while other threads parse,
        because the resolver in force is then one for all threads, and what is not found is skipped with a mere warning.
        """
        try:
            with self.driver() as driver:
                schema = etree.XMLSchema(etree.fromstring(driver, _parser()))
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
    def may_run_away(self) -> bool:
        """Whether a pack judges whose patterns or keys could keep the schema check busy for ever; ours could not."""
        packs = [root for name, root in self._sources.items() if name.startswith(f"{PACKS}/")]
        return any(next(root.iter(*_COSTLY), None) is not None for root in packs)

    @contextmanager
    def driver(self) -> Iterator[bytes]:
        """Give the schema that imports every namespace with its place, so that all are compiled as one.

        The places hold as long as the context: what is of several hands is written to a folder for it.
        """
        with nullcontext(self._folder) if self._folder else written(self._sources) as folder:
            imports = "".join(
                f"<xs:import namespace={quoteattr(schema.namespace)}"
                f" schemaLocation={quoteattr((folder / schema.file).as_uri())}/>"
                for schema in self.schemas
            )
            yield f'<xs:schema xmlns:xs="{XML_SCHEMA}">{imports}</xs:schema>'.encode()

    def _complaint(self, log: Iterable[Any]) -> str:
        """Say which schema does not compile; what libxml2 says of a schema may be quoted."""
        for entry in log:
            file = unquote(str(entry.filename))
            if names := [name for name in self._sources if file.endswith(f"/{name}")]:
                return f"{_told(max(names, key=len), entry.line)} does not compile: {entry.message}"
        return "The schemas do not compile together: " + "; ".join(str(entry.message) for entry in log)


def _require_own_imports(folder: Path, sources: Mapping[str, Element]) -> None:
    """Let a schema import only what the catalogue names: nothing from the network, nothing from elsewhere."""
    own = {folder / name for name in sources}
    for name, root in sources.items():
        for node in root.iter(*_REFERENCES):
            location = node.get("schemaLocation")
            if location and (folder / name).parent.joinpath(location).resolve() not in own:
                place = f"schemas/{name} line {node.sourceline}"
                raise ConfigurationError(f"{place} refers to a schema that schemas/catalogue.toml does not name")


def _told(name: str, line: int) -> str:
    """Name a schema by its place among ours, or by its pack; a pack's lines are counted otherwise when laid out."""
    folder, _, inside = name.partition("/")
    return "The schema pack {}: {}".format(*inside.split("/", 1)) if folder == PACKS else f"schemas/{name} line {line}"


def _kind(entry: Mapping[str, Any]) -> MessageKind:
    if entry["envelope"] not in get_args(EnvelopeKind):
        raise ValueError(f"envelope of {entry['type']} must be {' or '.join(get_args(EnvelopeKind))}")
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
