"""The catalogue: complete as shipped, and clear about what is wrong with a broken one."""

from __future__ import annotations

import shutil
import socket
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from lxml import etree

from messaging.documents import Catalogue
from messaging.errors import ConfigurationError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with as_file(files("schemas")) as shipped:
        return Path(shutil.copytree(shipped, tmp_path / "schemas"))


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_every_namespace_that_a_message_needs_is_served(catalogue: Catalogue) -> None:
    served = {schema.namespace for schema in catalogue.schemas}
    assert {kind.namespace for kind in catalogue.kinds} <= served


def test_every_payload_that_a_kind_names_is_an_element_of_its_schema(catalogue: Catalogue) -> None:
    for kind in catalogue.kinds:
        assert {kind.root, kind.child or kind.root} <= catalogue.vocabulary.elements


def test_each_schema_serves_the_namespace_that_the_catalogue_says(catalogue: Catalogue) -> None:
    for schema in catalogue.schemas:
        root = etree.fromstring(files("schemas").joinpath(*schema.file.split("/")).read_bytes())
        assert root.get("targetNamespace") == schema.namespace


def test_a_copy_of_the_folder_works_as_well(folder: Path) -> None:
    assert len(Catalogue.read(folder).kinds) == len(Catalogue.load().kinds)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "shared" / "kith.xsd").unlink()
    with pytest.raises(ConfigurationError, match=r"shared/kith\.xsd"):
        Catalogue.read(folder)


def test_a_schema_that_does_not_compile_is_named_with_its_line(folder: Path) -> None:
    change(folder / "shared" / "kith.xsd", 'type="xs:decimal"', 'type="xs:nonsense"')
    with pytest.raises(ConfigurationError, match=r"shared/kith\.xsd line \d+"):
        Catalogue.read(folder)


def test_a_schema_that_is_no_xml_is_named(folder: Path) -> None:
    (folder / "shared" / "kith.xsd").write_text("<xs:schema")
    with pytest.raises(ConfigurationError, match=r"kith\.xsd"):
        Catalogue.read(folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [('envelope = "apprec"', 'envelope = "soap"'), ('apprec = "1.1"\n', ""), ("[[message]]", "[[message]")],
)
def test_a_broken_catalogue_is_a_refused_start(folder: Path, old: str, new: str) -> None:
    change(folder / "catalogue.toml", old, new)
    with pytest.raises(ConfigurationError, match=r"catalogue\.toml"):
        Catalogue.read(folder)


def test_an_import_from_elsewhere_is_never_fetched(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        there = f"http://127.0.0.1:{listening.getsockname()[1]}/x.xsd"
        kith = folder / "shared" / "kith.xsd"
        text = kith.read_text()
        start = text.index(">", text.index("<xs:schema")) + 1
        kith.write_text(f'{text[:start]}<xs:import namespace="urn:x" schemaLocation="{there}"/>{text[start:]}')
        with pytest.raises(ConfigurationError, match=r"shared/kith\.xsd line \d+ refers to a schema"):
            Catalogue.read(folder)
        with pytest.raises(BlockingIOError):
            listening.accept()
