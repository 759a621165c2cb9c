"""Schema packs: what they may be made of, when they may judge, and that nothing is ever fetched for them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from edits import RECEIPT, edited

import fixtures
from messaging.documents import Catalogue, Validator, compiling, trial, unpacking
from messaging.documents.names import APPREC_1_1, XMLDSIG
from messaging.documents.packs import Pack, Shelf
from messaging.documents.rehearsal import BUDGET
from messaging.documents.unpacking import gather
from messaging.errors import ConfigurationError
from world import SHARED

OFFICIAL = SHARED / "standards" / "official"
RECEIPTS = files("schemas").joinpath("apprec/1.1/apprec.xsd").read_bytes()
SAMPLES = {
    name: fixtures.read(name)
    for name in (*fixtures.valid(), *fixtures.invalid())
    if "apprec" in name or "/T02/" in name
}
NS = "urn:samhandling:test"
ROOT = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{NS}" xmlns:t="{NS}">'
TYPE = '<xs:complexType name="T"><xs:sequence><xs:element name="b" minOccurs="0"/></xs:sequence></xs:complexType>'
INCLUDE = '<xs:include schemaLocation="http://example.org/far/types.xsd"/>'
LETTER = f'{ROOT}{INCLUDE}<xs:element name="a" type="t:T"/></xs:schema>'
TYPES = f"{ROOT}{TYPE}</xs:schema>"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "packs")


def pack_of(name: str = "own", /, **contents: str | bytes) -> Pack:
    return Pack(name, {f"{file}.xsd": c.encode() if isinstance(c, str) else c for file, c in contents.items()})


def receipts(*changes: tuple[str, str]) -> Pack:
    """Make a pack that serves AppRec 1.1, changed so."""
    return Pack("receipts", {"AppRec.xsd": edited(RECEIPTS, *changes)})


def compiled(pack: Pack) -> Catalogue:
    return Catalogue.load().judged_by(dict.fromkeys(pack.schemas, pack))


def accepts(catalogue: Catalogue, document: str) -> bool:
    return Validator(catalogue).judge(document.encode(), schema_only=True).accepted


@contextmanager
def nothing_fetched(tmp_path: Path) -> Iterator[list[str]]:
    """Give a network place and a local one, and fail when anything was asked of either, by Python or by libxml2."""
    opened: list[str] = []
    watching = True
    pipe = tmp_path / "pipe.xsd"
    os.mkfifo(pipe)

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event in {"open", "socket.connect", "socket.getaddrinfo", "urllib.Request"}:
            opened.append(str(arguments[0]))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        sys.addaudithook(watch)
        yield [f"http://127.0.0.1:{listening.getsockname()[1]}/x.xsd", pipe.as_uri()]
        watching = False
        assert [name for name in opened if "pipe.xsd" in name or "127.0.0.1" in name] == []
        with pytest.raises(BlockingIOError):
            listening.accept()
        # A pipe that somebody reads can be opened for writing, and whoever had read it would wait here still.
        with pytest.raises(OSError, match="No such device or address"):
            os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)


# What a pack may be made of.


@pytest.mark.skipif(not OFFICIAL.exists(), reason=f"the official schemas are not at {OFFICIAL}")
def test_the_official_schemas_are_a_pack_that_judges_as_ours_do(shelf: Shelf) -> None:
    names = [name for name in (*fixtures.valid(), *fixtures.invalid()) if "/T01/" not in name]
    samples = {name: fixtures.read(name) for name in names}
    trial.install(shelf, Pack.of(OFFICIAL, "official"), samples)
    chosen = trial.use(shelf, "official", "", samples)
    ours = {schema.namespace for schema in Catalogue.load().schemas}
    assert ours - {XMLDSIG} <= set(chosen)
    judging = {schema.namespace: schema.pack for schema in Catalogue.load(shelf.folder).schemas}
    assert {name for name, pack in judging.items() if not pack} == {XMLDSIG}
    assert trial.faults_of_pack(shelf, "official", samples) == ""
    assert trial.faults_in_use(shelf, samples) == ""


def test_imports_are_resolved_by_namespace_and_their_place_is_never_asked(tmp_path: Path) -> None:
    location = re.search(r'schemaLocation="([^"]*kith\.xsd)"', RECEIPTS.decode())
    assert location is not None
    with nothing_fetched(tmp_path) as places:
        for place in places:
            catalogue = compiled(receipts((location[1], place)))
            assert Validator(catalogue).judge(RECEIPT).accepted


def test_an_include_is_found_by_its_name_in_the_pack_alone() -> None:
    for where in ({"letter": LETTER, "types": TYPES}, {"in/letter": LETTER, "other/types": TYPES}):
        pack = pack_of(**where)
        assert pack.schemas[NS].included == (f"{list(where)[1]}.xsd",)
        catalogue = compiled(pack)
        assert accepts(catalogue, f'<a xmlns="{NS}"/>')
        assert not accepts(catalogue, f'<a xmlns="{NS}"><x/></a>')


def test_an_included_file_without_a_namespace_takes_that_of_the_other() -> None:
    anonymous = TYPES.replace(f'targetNamespace="{NS}"', "")
    assert accepts(compiled(pack_of(letter=LETTER, types=anonymous)), f'<a xmlns="{NS}"/>')


def test_of_several_files_of_that_name_the_one_beside_is_included() -> None:
    other = TYPES.replace('name="b" minOccurs="0"', 'name="c"').replace(NS, "urn:samhandling:other")
    pack = Pack("own", {"in/letter.xsd": LETTER.encode(), "in/types.xsd": TYPES.encode(), "types.xsd": other.encode()})
    assert pack.schemas[NS].included == ("in/types.xsd",)


def test_the_same_file_twice_is_one_and_two_for_one_namespace_are_refused() -> None:
    assert len(pack_of(a=TYPES, b=TYPES).schemas) == 1
    with pytest.raises(ConfigurationError, match=rf"b\.xsd serves the namespace {NS}, and so does a\.xsd"):
        pack_of(a=TYPES, b=TYPES.replace('name="T"', 'name="U"'))


def test_the_schema_of_signatures_is_ours_whatever_the_pack_holds() -> None:
    official = f'<!DOCTYPE schema><schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="{XMLDSIG}"/>'
    pack = pack_of(types=TYPES, signature=official)
    assert list(pack.files) == ["types.xsd"]
    assert {schema.pack for schema in compiled(pack).schemas if schema.namespace == XMLDSIG} == {""}


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ({"x": f"<!DOCTYPE a>{TYPES}"}, r"x\.xsd line 1 cannot be read.*DOCTYPE"),
        ({"x": "<a"}, r"x\.xsd line 1 cannot be read"),
        ({"x": "<a/>"}, r"x\.xsd is no XML schema"),
        ({"x": TYPES.replace(f'targetNamespace="{NS}"', "")}, "no usable target namespace"),
        ({"x": TYPES.replace(TYPE, '<xs:redefine schemaLocation="y.xsd"/>')}, "redefines"),
        ({"x": LETTER}, "includes 'types.xsd', and the pack has 0 files"),
        ({"x": LETTER, "a/types": TYPES, "b/types": TYPES}, "has 2 files of that name"),
        ({"x": LETTER, "types": TYPES.replace(NS, "urn:other")}, r"includes types\.xsd, which is of another namespace"),
        ({"types": LETTER}, "no schema that stands on its own"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_file(contents: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        pack_of(**contents)


def test_an_import_that_nobody_serves_is_named() -> None:
    importing = TYPES.replace(TYPE, '<xs:import namespace="urn:nobody" schemaLocation="x.xsd"/>' + TYPE)
    with pytest.raises(ConfigurationError, match=r"own cannot be used: x\.xsd imports the namespace 'urn:nobody'"):
        compiled(pack_of(x=importing))


def test_what_only_the_pack_has_is_taken_along_when_one_of_its_namespaces_is_used() -> None:
    other = "urn:samhandling:other"
    importing = TYPES.replace(TYPE, f'<xs:import namespace="{other}"/><xs:element name="a" type="o:T"/>')
    importing = importing.replace("xmlns:t=", f'xmlns:o="{other}" xmlns:t=')
    pack = pack_of(x=importing, y=TYPES.replace(NS, other))
    catalogue = Catalogue.load().judged_by({NS: pack})
    assert accepts(catalogue, f'<a xmlns="{NS}"/>')


def test_a_pack_that_does_not_compile_is_named_with_its_file(shelf: Shelf) -> None:
    with pytest.raises(ConfigurationError, match=r"The schema pack receipts: AppRec\.xsd does not compile: .*CSS"):
        trial.install(shelf, receipts(('type="kith:CS"', 'type="kith:CSS"')), SAMPLES)
    assert shelf.names() == []


def test_a_schema_that_asks_for_all_there_is_is_refused(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "LONGEST", 1)

    def twice(level: int) -> str:
        return f'<xs:group ref="t:g{level - 1}"/>' * 2 if level else '<xs:element name="b"/>'

    groups = "".join(f'<xs:group name="g{n}"><xs:sequence>{twice(n)}</xs:sequence></xs:group>' for n in range(40))
    element = '<xs:element name="a"><xs:complexType><xs:group ref="t:g39"/></xs:complexType></xs:element>'
    with pytest.raises(ConfigurationError, match="within the memory and time"):
        trial.install(shelf, pack_of(x=TYPES.replace(TYPE, groups + element)), SAMPLES)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            '"apprec:OriginalMsgId"',
            '"apprec:OriginalMsgId" minOccurs="0"',
            r"receipt_without_original\.xml is accepted",
        ),
        ('name="Status"', 'name="State"', r"valid/apprec/1\.1/apprec_.*\.xml is refused: T02: Status is not expected"),
    ],
)
def test_a_pack_that_changes_a_verdict_is_refused_and_the_document_named(
    old: str, new: str, words: str, shelf: Shelf
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        trial.install(shelf, receipts((old, new)), SAMPLES)


# Where a pack comes from.


def zipped(path: Path, *entries: tuple[str, bytes], mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return path


def test_a_zip_and_a_folder_give_the_same_pack(tmp_path: Path) -> None:
    folder = tmp_path / "KITH schemas 1.0"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "letter.xsd").write_text(LETTER)
    (folder / "types.XSD").write_text(TYPES)
    (folder / "._types.xsd").write_bytes(b"\x00")
    (folder / "readme.pdf").write_bytes(b"%PDF")
    archive = zipped(
        tmp_path / "KITH schemas 1.0.zip",
        *((str(p.relative_to(folder)), p.read_bytes()) for p in sorted(folder.rglob("*")) if p.is_file()),
    )
    assert gather(folder) == gather(archive) == {"in/letter.xsd": LETTER.encode(), "types.XSD": TYPES.encode()}
    (folder / "types.XSD").rename(folder / "types.xsd")
    assert Pack.of(folder).name == "kith-schemas-1"


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("../x.xsd", 0, "path cannot be used"),
        ("a/../../x.xsd", 0, "path cannot be used"),
        ("/etc/x.xsd", 0, "path cannot be used"),
        ("C:/x.xsd", 0, "path cannot be used"),
        ("..\\x.xsd", 0, "path cannot be used"),
        ("a\nb.xsd", 0, "path cannot be used"),
        ("a" * 300 + ".xsd", 0, "path cannot be used"),
        ("x.xsd", stat.S_IFLNK | 0o777, "is a link"),
        ("notes.txt", 0, r"holds no \.xsd file"),
    ],
)
def test_a_zip_with_a_path_that_leads_elsewhere_is_refused(name: str, mode: int, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=words):
        gather(zipped(tmp_path / "a.zip", (name, TYPES.encode()), mode=mode))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_beyond_the_limits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    types = TYPES.encode()
    bomb = zipped(tmp_path / "bomb.zip", ("x.xsd", bytes(50_000_000)))
    assert bomb.stat().st_size < 100_000
    with pytest.raises(ConfigurationError, match=r"x\.xsd in bomb\.zip is larger than"):
        gather(bomb)
    with pytest.raises(ConfigurationError, match=r"holds x\.xsd twice"):
        gather(zipped(tmp_path / "twice.zip", ("x.xsd", types), ("x.xsd", types)))
    many = zipped(tmp_path / "many.zip", *((f"{n}.xsd", types) for n in range(4)))
    monkeypatch.setattr(unpacking, "MOST_FILES", 3)
    with pytest.raises(ConfigurationError, match="more than 3 XSDs"):
        gather(many)
    monkeypatch.setattr(unpacking, "MOST_ENTRIES", 2)
    with pytest.raises(ConfigurationError, match="more than 2 files"):
        gather(many)
    monkeypatch.setattr(unpacking, "LARGEST_ZIP", 100)
    with pytest.raises(ConfigurationError, match="larger than 100 bytes"):
        gather(many)


def test_an_encrypted_zip_one_that_is_none_and_one_that_is_not_there_are_told_apart(tmp_path: Path) -> None:
    plain = zipped(tmp_path / "a.zip", ("x.xsd", TYPES.encode())).read_bytes()
    flagged = bytearray(plain)
    flagged[plain.index(b"PK\x03\x04") + 6] |= 1
    flagged[plain.index(b"PK\x01\x02") + 8] |= 1
    for content, words in (
        (bytes(flagged), "is encrypted"),
        (b"no zip", "cannot be read as a ZIP"),
        (plain[:-9], "ZIP"),
    ):
        (tmp_path / "b.zip").write_bytes(content)
        with pytest.raises(ConfigurationError, match=words):
            gather(tmp_path / "b.zip")
    with pytest.raises(ConfigurationError, match="no folder and no file"):
        gather(tmp_path / "none.zip")


def test_a_link_in_a_folder_is_refused_and_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "x.xsd").write_text(TYPES)
    os.mkfifo(source / "pipe.xsd")
    assert list(gather(source)) == ["x.xsd"]
    (source / "y.xsd").symlink_to("/etc/hostname")
    with pytest.raises(ConfigurationError, match=r"'y\.xsd' in source is a link"):
        gather(source)
    (source / "y.xsd").unlink()
    (source / "folder").symlink_to(tmp_path)
    with pytest.raises(ConfigurationError, match="is a link"):
        gather(source)


@pytest.mark.parametrize("name", ["ours", "Own", "../own", "", "a" * 65, ".own", "a/b"])
def test_a_name_that_cannot_be_a_folders_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be a pack's name"):
        pack_of(name, types=TYPES)


# What is installed.


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shelf = Shelf(tmp_path_factory.mktemp("installed") / "packs")
    trial.install(shelf, receipts(), SAMPLES)
    trial.install(shelf, pack_of("second", types=TYPES, AppRec=RECEIPTS), SAMPLES)
    trial.use(shelf, "receipts", "", SAMPLES)
    return shelf.folder


@pytest.fixture
def used(installed: Path, shelf: Shelf) -> Shelf:
    """A shelf with two packs that serve AppRec 1.1; the first judges it."""
    shutil.copytree(installed, shelf.folder)
    return shelf


def judging(shelf: Shelf) -> dict[str, str]:
    return {schema.namespace: schema.pack for schema in Catalogue.load(shelf.folder).schemas if schema.pack}


def test_without_a_choice_ours_judge(shelf: Shelf) -> None:
    assert judging(shelf) == {}
    trial.install(shelf, receipts(), SAMPLES)
    assert judging(shelf) == {}
    assert shelf.pack("receipts").files == {"AppRec.xsd": RECEIPTS}


def test_packs_judge_what_they_were_chosen_for_until_ours_do_again(used: Shelf) -> None:
    assert judging(used) == {APPREC_1_1: "receipts"}
    trial.use(used, "second", NS, SAMPLES)
    assert judging(used) == {APPREC_1_1: "receipts", NS: "second"}
    trial.use(used, "second", "", SAMPLES)
    assert judging(used) == {APPREC_1_1: "second", NS: "second"}
    trial.use(used, "ours", NS, SAMPLES)
    assert judging(used) == {APPREC_1_1: "second"}
    trial.use(used, "ours", "", SAMPLES)
    assert judging(used) == {}


def test_a_verdict_is_the_packs(used: Shelf) -> None:
    stricter = edited(RECEIPTS, ('name="Status"', 'name="State"'))
    used.keep(Pack("stricter", {"AppRec.xsd": stricter}))
    used.choose({APPREC_1_1: "stricter"})
    assert Validator(Catalogue.load()).judge(RECEIPT).accepted
    verdict = Validator(Catalogue.load(used.folder)).judge(RECEIPT)
    assert "Status is not expected here; expected State." in [fault.text for fault in verdict.faults]
    assert "judges otherwise" in trial.faults_in_use(used, SAMPLES)
    assert "judges otherwise" in trial.faults_of_pack(used, "stricter", SAMPLES)


def test_what_a_pack_has_not_cannot_be_chosen(used: Shelf) -> None:
    for name, namespace, words in (
        ("receipts", NS, "no schema for the namespace"),
        ("nobody", "", "no schema pack nobody"),
        ("ours", NS, "No schema pack judges"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            trial.use(used, name, namespace, SAMPLES)
    with pytest.raises(ConfigurationError, match="a schema pack receipts already"):
        trial.install(used, receipts(), SAMPLES)
    assert judging(used) == {APPREC_1_1: "receipts"}


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("receipts/AppRec.xsd", RECEIPTS + b" ", r"receipts is not as it was installed: AppRec\.xsd; put back"),
        ("receipts/New.xsd", TYPES.encode(), r"not as it was installed: New\.xsd"),
        ("receipts/AppRec.xsd", None, r"holds no \.xsd"),
        ("receipts/pack.toml", b"[[file]]", "pack.toml of the schema pack receipts cannot be read"),
        ("receipts/pack.toml", b"\xff", "pack.toml of the schema pack receipts cannot be read"),
        ("receipts/pack.toml", None, "no schema pack receipts"),
        ("used.toml", b"[", r"used\.toml cannot be read"),
        ("used.toml", b"a = 1", r"used\.toml must name a pack"),
        ("used.toml", b'a = "receipts"', "which it has not"),
        ("used.toml", b'a = "../receipts"', "cannot be a pack's name"),
    ],
)
def test_what_is_not_as_it_was_installed_stops_the_start_until_ours_judge_again(
    file: str, content: bytes | None, words: str, used: Shelf
) -> None:
    if content is None:
        (used.folder / file).unlink()
    else:
        (used.folder / file).write_bytes(content)
    with pytest.raises(ConfigurationError, match=words):
        Catalogue.load(used.folder)
    trial.use(used, "ours", "", SAMPLES)
    assert used.judges() == {}


def test_the_folder_that_schemas_are_compiled_from_is_private_and_does_not_stay(used: Shelf) -> None:
    with Catalogue.load(used.folder).driver() as driver:
        (place,) = re.findall(r'schemaLocation="file://([^"]*)/packs/receipts/AppRec\.xsd"', driver.decode())
        assert stat.S_IMODE(Path(place).stat().st_mode) == 0o700
        assert not Path(place, "apprec/1.1/apprec.xsd").exists()
    assert not Path(place).exists()


# What a document says of schemas.


def test_where_a_document_says_that_its_schema_lies_is_never_read(tmp_path: Path, used: Shelf) -> None:
    validators = [Validator(Catalogue.load()), Validator(Catalogue.load(used.folder))]
    with nothing_fetched(tmp_path) as places:
        for place in places:
            hints = (
                f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="{place}" '
                f'xsi:schemaLocation="{APPREC_1_1} {place} urn:other {place}"'
            )
            content = edited(RECEIPT, ("<AppRec ", f"<AppRec {hints} "))
            assert [validator.judge(content).accepted for validator in validators] == [True, True]


# Packs that run away (A12)


PLAIN_ID = '<xs:element name="Id" type="xs:string"/>\n        <xs:element name="Type" type="kith:CS"/>'
MORE_IDS = b"</Dept>\n"


def patterned(pattern: str) -> Pack:
    """Make a pack that serves AppRec 1.1 and holds every further identifier to a pattern."""
    facet = f'<xs:restriction base="xs:string"><xs:pattern value="{pattern}"/></xs:restriction>'
    held = f'<xs:element name="Id"><xs:simpleType>{facet}</xs:simpleType></xs:element>'
    return receipts((PLAIN_ID, f'{held}<xs:element name="Type" type="kith:CS"/>'))


def with_ids(value: str, times: int) -> bytes:
    """Give the receipt's sender further identifiers."""
    assert RECEIPT.count(MORE_IDS) == 1
    return RECEIPT.replace(
        MORE_IDS, MORE_IDS + f'<AdditionalId><Id>{value}</Id><Type V="ENH"/></AdditionalId>'.encode() * times
    )


@pytest.mark.parametrize(
    ("value", "times"), [("x" * 40 + "z", 1), ("x" * 20 + "z", 500)], ids=["one that is endless", "many that are slow"]
)
def test_a12_a_pattern_without_end_is_answered_within_five_seconds_and_others_go_on(value: str, times: int) -> None:
    with closing(Validator(compiled(patterned("[0-9]+|(x+x+)+y")))) as validator:
        assert validator.waits
        assert validator.judge(RECEIPT).accepted
        begun = time.monotonic()
        verdict = validator.judge(with_ids(value, times))
        assert time.monotonic() - begun < 3 * BUDGET  # and three times that on a machine that does much else
        assert [fault.code.value for fault in verdict.faults] == ["T02"]
        assert "asks more of the schema check" in verdict.faults[0].text
        assert validator.judge(RECEIPT).accepted


def test_schemas_that_cannot_run_away_judge_in_place() -> None:
    assert not Validator(Catalogue.load()).waits
    assert not Validator(compiled(receipts())).waits
