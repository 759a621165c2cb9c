"""What the documentation says is what the code does."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

from messaging.registry import Registry, require_known
from messaging.settings import CONFIG, PREFIX, Settings, load

ROOT = Path(__file__).parents[2]
GENERATE = runpy.run_path(str(ROOT / "docs" / "generate.py"))
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def test_the_readme_lists_every_setting_with_its_default() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text == GENERATE["readme"](text), "run: python docs/generate.py"
    assert [name for name in Settings.model_fields if f"`{PREFIX}{name.upper()}`" not in text] == []


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_lifecycle_page_is_made_from_the_lifecycle() -> None:
    text = (ROOT / "docs" / "lifecycle.md").read_text(encoding="utf-8")
    assert text == GENERATE["lifecycle"](), "run: python docs/generate.py"


def test_the_page_of_rules_is_made_from_the_rules() -> None:
    text = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    assert text == GENERATE["rules"](), "run: python docs/generate.py"


def test_the_page_of_limits_is_made_from_the_settings() -> None:
    text = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    assert text == GENERATE["limits"](), "run: python docs/generate.py"


def test_the_limits_that_the_page_shows_can_be_used() -> None:
    shown = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    limits = Settings(**tomllib.loads(shown)).document_limits()
    assert (limits.document_bytes, limits.depth, limits.encodings) == (20_000_000, 32, ("utf-8",))


def test_the_signatures_that_the_page_shows_are_settings() -> None:
    shown = (ROOT / "docs" / "signatures.md").read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    settings = Settings(**tomllib.loads(shown)).signatures
    assert [line.policy.value for line in settings.lines] == ["verify", "require", "ignore"]
    text = (ROOT / "docs" / "signatures.md").read_text(encoding="utf-8")
    assert [name for name in type(settings).model_fields if f"| `{name}` |" not in text] == []


def test_the_policy_that_the_page_of_rules_shows_can_be_used() -> None:
    shown = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    assert len(Settings(**tomllib.loads(shown)).rule_policy().lines) == 4


def test_the_example_of_a_settings_file_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = (ROOT / "deploy" / "settings.toml").read_text(encoding="utf-8")
    (tmp_path / "settings.toml").write_text(example.replace("/srv/homecare", str(tmp_path)), encoding="utf-8")
    monkeypatch.setenv(CONFIG, str(tmp_path / "settings.toml"))
    settings = load()
    require_known(settings.routing().named(), settings.adapters)
    assert [one.name for one in Registry.discover().check(settings.adapter_settings())] == ["homecare"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = [unquote(link.partition("#")[0]) for link in LINK.findall(page.read_text(encoding="utf-8"))]
    inside = [target for target in targets if target and "://" not in target]
    assert [target for target in inside if not (page.parent / target).exists()] == []


def test_the_index_names_every_page_of_the_documentation() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    named = {(ROOT / "docs" / target).resolve() for target in LINK.findall(index) if "://" not in target}
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - {ROOT / "docs" / "README.md"}
    assert [str(page.relative_to(ROOT)) for page in sorted(pages - named)] == []
