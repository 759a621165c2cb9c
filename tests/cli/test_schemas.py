"""Schema packs from the terminal: install, look, use, verify, and a start that is refused."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import fixtures
from messaging.cli import app
from messaging.errors import CallerError, ConfigurationError

runner = CliRunner()
APPREC = "http://www.kith.no/xmlstds/apprec/2012-02-15"
RECEIPTS = files("schemas").joinpath("apprec/1.1/apprec.xsd").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packs, and one beside it that holds a pack to install."""
    monkeypatch.setenv("SAMHANDLING_SCHEMA_PACKS", str(tmp_path / "packs"))
    monkeypatch.setenv("SAMHANDLING_DATABASE_URL", f"sqlite:///{tmp_path / 'samhandling.db'}")
    monkeypatch.setenv("SAMHANDLING_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "receipts").mkdir()
    (tmp_path / "receipts" / "AppRec.xsd").write_text(RECEIPTS, encoding="utf-8")
    return tmp_path


def run(*words: str, code: int = 0) -> str:
    done: Result = runner.invoke(app, ["schemas", *words], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def run_json(*words: str, code: int = 0) -> Any:
    return json.loads(run(*words, "--format", "json", code=code))


def judges() -> dict[str, tuple[str, list[str]]]:
    rows = run_json("list")["namespaces"]
    return {row["namespace"]: (row["judge"], row["others"]) for row in rows}


def test_a_pack_is_installed_listed_used_and_put_aside() -> None:
    assert judges()[APPREC] == ("ours", [])
    assert "samhandling schemas use receipts" in run("install", "receipts")
    assert judges()[APPREC] == ("ours", ["receipts"])
    assert "receipts judges 1 namespace." in run("use", "receipts")
    assert judges()[APPREC] == ("receipts", ["ours"])
    assert [line for line in run("list").splitlines() if APPREC in line and "receipts" in line]
    assert f"judge {APPREC}" in run("use", "ours", "--namespace", APPREC)
    assert judges()[APPREC] == ("ours", ["receipts"])
    (pack,) = run_json("list")["packs"]
    assert len(pack.pop("files")["AppRec.xsd"]) == 64
    assert pack == {"name": "receipts", "fault": ""}


def test_verify_says_which_schemas_are_in_order(folder: Path) -> None:
    run("install", "receipts")
    run("install", "receipts", "--name", "again")
    run("use", "again")
    assert run_json("verify") == [
        {"schemas": name, "ok": True, "fault": ""} for name in ("ours", "again", "receipts", "in use")
    ]
    (folder / "packs" / "again" / "AppRec.xsd").write_text(RECEIPTS + "\n", encoding="utf-8")
    found = {row["schemas"]: row["fault"] for row in run_json("verify", code=1)}
    assert found["ours"] == found["receipts"] == ""
    assert found["again"] == found["in use"]
    assert "again is not as it was installed: AppRec.xsd" in found["again"]
    assert "receipts: in order" in run("verify", code=1)
    assert {pack["name"]: bool(pack["fault"]) for pack in run_json("list")["packs"]} == {
        "again": True,
        "receipts": False,
    }
    assert "again is not as it was installed" in run("list")


def test_a_pack_that_judges_otherwise_is_not_installed_and_the_document_is_named(folder: Path) -> None:
    (folder / "receipts" / "AppRec.xsd").write_text(RECEIPTS.replace('"Status"', '"State"'), encoding="utf-8")
    with pytest.raises(CallerError, match=r"valid/apprec/1\.1/apprec_.*\.xml is refused"):
        run("install", "receipts")
    assert run_json("list")["packs"] == []


@pytest.mark.parametrize("words", [["install", "nothing"], ["use", "nothing"], ["use", "ours", "--namespace", "urn:x"]])
def test_what_cannot_be_done_is_told_in_words(words: list[str]) -> None:
    with pytest.raises(CallerError):
        run(*words)


def test_a_pack_judges_validate_and_the_exchange_and_a_changed_file_stops_them(folder: Path) -> None:
    receipt = folder / "receipt.xml"
    receipt.write_bytes(fixtures.read("valid/apprec/1.1/apprec_ok.xml"))
    run("install", "receipts")
    run("use", "receipts")
    for command in (["validate", str(receipt)], ["check"]):
        assert runner.invoke(app, command, catch_exceptions=False).exit_code == 0
    with (folder / "packs" / "receipts" / "AppRec.xsd").open("a", encoding="utf-8") as file:
        file.write("\n")
    for command in (["validate", str(receipt)], ["check"]):
        with pytest.raises(ConfigurationError, match=r"receipts is not as it was installed: AppRec\.xsd; put back"):
            runner.invoke(app, command, catch_exceptions=False)
    run("use", "ours")
    assert runner.invoke(app, ["check"], catch_exceptions=False).exit_code == 0


def test_validate_explains_what_must_stand_where_the_schemas_list_what_may(folder: Path) -> None:
    (folder / "receipt.xml").write_bytes(fixtures.read("invalid/T02/receipt_without_original.xml"))

    def texts(*words: str) -> list[str]:
        done = runner.invoke(
            app, ["validate", "--schema-only", "--format", "json", *words, str(folder / "receipt.xml")]
        )
        assert done.exit_code == 1, done.output
        return [fault["text"] for fault in json.loads(done.output)[0]["faults"]]

    assert texts() == ["AppRec is not complete: expected Error or OriginalMsgId."]
    assert texts("--explain") == ["AppRec is not complete: expected OriginalMsgId."]
