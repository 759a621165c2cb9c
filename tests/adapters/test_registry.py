from __future__ import annotations

import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from far_sides import SECRET
from pydantic import BaseModel

from adapters import file_drop, http_post, memory
from messaging.errors import ConfigurationError
from messaging.reach import Reach
from messaging.registry import Registry, require_known
from messaging.spi import AdapterKind

SHIPPED = Registry.of(memory.KIND, http_post.KIND, file_drop.KIND)


class Loose(BaseModel):
    """Settings of a kind whose author has forgotten to forbid what is unknown."""

    number: int = 0


def recording(log: list[str], *, failing: str = "") -> AdapterKind:
    @asynccontextmanager
    async def open_recorded(name: str, _: Loose, _reach: Reach) -> AsyncIterator[Any]:
        if name == failing:
            raise OSError(13, "Permission denied", "the/secret/file")
        log.append(f"open {name}")
        try:
            yield name
        finally:
            log.append(f"close {name}")

    return AdapterKind("recorded", Loose, open_recorded)


def complaint(configured: dict[str, Any], registry: Registry = SHIPPED) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        registry.check(configured)
    return str(refusal.value)


class TestCheck:
    def test_a_good_configuration_is_read_into_the_kinds_own_settings(self) -> None:
        (instance,) = SHIPPED.check({"fake": {"kind": "memory", "keeps": 3}})
        assert (instance.name, instance.kind, instance.settings) == ("fake", memory.KIND, memory.Settings(keeps=3))

    def test_an_unknown_kind_is_told_with_those_that_are_known(self) -> None:
        told = complaint({"kommune": {"kind": "carrier_pigeon"}})
        assert "'kommune'" in told
        assert "'carrier_pigeon'" in told
        assert "memory, http_post, file_drop" in told
        assert "install" in told

    @pytest.mark.parametrize("given", [{}, {"kind": None}, {"kind": ["memory"]}])
    def test_a_missing_kind_is_told(self, given: dict[str, Any]) -> None:
        assert "adapter instance 'kommune': setting 'kind' is missing" in complaint({"kommune": given})

    def test_an_unknown_setting_is_told_with_those_that_are_known(self) -> None:
        told = complaint({"kommune": {"kind": "memory", "keep": 1}})
        assert "adapter instance 'kommune': setting 'keep' is not known. Known settings of memory: keeps" in told

    def test_an_unknown_setting_is_refused_also_where_the_kind_would_overlook_it(self) -> None:
        registry = Registry.of(recording([]))
        assert "'numbr' is not known" in complaint({"x": {"kind": "recorded", "numbr": 1}}, registry)

    def test_a_missing_setting_is_told(self) -> None:
        assert "setting 'folder' is missing" in complaint({"kommune": {"kind": "file_drop"}})

    def test_a_bad_value_is_told_and_not_repeated(self) -> None:
        secret = "whsec_aHVzaA=="
        told = complaint({"kommune": {"kind": "http_post", "url": "gopher://user:hush@x/", "secret": secret}})
        assert "setting 'url': URL scheme should be 'http' or 'https'" in told
        assert "hush" not in told
        told = complaint({"kommune": {"kind": "http_post", "url": "https://x.example/", "secret": secret}})
        assert "settings: the secret must be" in told
        assert "aHVzaA" not in told

    def test_a_number_that_is_none_is_told_with_its_setting(self) -> None:
        told = complaint(
            {"k": {"kind": "http_post", "url": "https://x.example/", "secret": SECRET, "timeout_seconds": 0}}
        )
        assert "setting 'timeout_seconds': Input should be greater than 0" in told

    def test_every_instance_is_complained_of_at_once(self) -> None:
        told = complaint({"a": {"kind": "memory", "x": 1}, "b": {"kind": "memory"}, "c": {"kind": "none"}})
        assert "'a'" in told
        assert "'b'" not in told
        assert "'c'" in told

    def test_the_name_of_the_mailbox_is_taken(self) -> None:
        assert "the exchange's own" in complaint({"mailbox": {"kind": "memory"}})


class TestOpen:
    async def test_instances_are_opened_in_order_and_closed_in_the_reverse_order(self) -> None:
        log: list[str] = []
        configured = {name: {"kind": "recorded"} for name in "abc"}
        async with Registry.of(recording(log)).open(configured) as adapters:
            assert adapters == {"a": "a", "b": "b", "c": "c"}
            log.append("work")
        assert log == ["open a", "open b", "open c", "work", "close c", "close b", "close a"]

    async def test_nothing_is_opened_when_a_setting_is_wrong(self) -> None:
        log: list[str] = []
        with pytest.raises(ConfigurationError):
            async with Registry.of(recording(log)).open({"a": {"kind": "recorded"}, "b": {"kind": "other"}}):
                pass
        assert log == []

    async def test_what_was_open_is_closed_when_the_next_cannot_be_opened(self) -> None:
        log: list[str] = []
        registry = Registry.of(recording(log, failing="b"))
        with pytest.raises(
            ConfigurationError, match=r"instance 'b' of kind recorded cannot be opened.*Permission denied"
        ):
            async with registry.open({name: {"kind": "recorded"} for name in "abc"}):
                pass
        assert log == ["open a", "close a"]

    async def test_instances_of_one_kind_are_apart(self) -> None:
        async with SHIPPED.open({"a": {"kind": "memory"}, "b": {"kind": "memory"}}) as adapters:
            assert adapters["a"] is not adapters["b"]


class TestRequireKnown:
    def test_the_mailbox_and_the_instances_are_known(self) -> None:
        require_known({"mailbox", "a"}, {"a": object(), "b": object()})

    def test_an_unknown_route_is_told_with_the_known_ones(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^unknown route.*named x, y\. Known: a, mailbox\. Mend"):
            require_known({"y", "a", "x"}, ["a"])


class TestDiscover:
    """Other people's packages, as pip leaves them: a module, and a dist-info folder that names the entry point."""

    @pytest.fixture
    def install(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.syspath_prepend(tmp_path)

        def install(package: str, *entries: str, source: str = "") -> None:
            (tmp_path / f"{package}.py").write_text(textwrap.dedent(source))
            metadata = tmp_path / f"{package}-1.0.dist-info"
            metadata.mkdir()
            (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
            (metadata / "entry_points.txt").write_text("\n".join(("[messaging.adapters]", *entries)))
            monkeypatch.delitem(sys.modules, package, raising=False)

        return install

    PIGEON = """
        from contextlib import asynccontextmanager
        from pydantic import BaseModel
        from messaging.spi import AdapterKind

        class Settings(BaseModel):
            loft: str

        @asynccontextmanager
        async def open_pigeon(name, settings, reach):
            yield f"{name} from {settings.loft}"

        KIND = AdapterKind("pigeon", Settings, open_pigeon)
    """

    async def test_a_foreign_packages_kind_is_found_and_opened(self, install: Any) -> None:
        install("pigeon_post", "pigeon = pigeon_post:KIND", source=self.PIGEON)
        async with Registry.discover().open({"roof": {"kind": "pigeon", "loft": "Oslo"}}) as adapters:
            assert adapters == {"roof": "roof from Oslo"}

    def test_a_kind_is_imported_only_when_it_is_asked_for(self, install: Any) -> None:
        install("broken_post", "broken = broken_post:KIND", source="raise RuntimeError('needs libfoo')")
        install("pigeon_post", "pigeon = pigeon_post:KIND", source=self.PIGEON)
        registry = Registry.discover()
        assert registry.kind("pigeon").name == "pigeon"
        with pytest.raises(ConfigurationError, match=r"from package 'broken_post' cannot be imported.*needs libfoo"):
            registry.kind("broken")

    @pytest.mark.parametrize("entry", ["pigeon = pigeon_post:Settings", "dove = pigeon_post:KIND"])
    def test_an_entry_point_that_names_no_kind_of_its_name_is_told(self, install: Any, entry: str) -> None:
        install("pigeon_post", entry, source=self.PIGEON)
        with pytest.raises(ConfigurationError, match="is no AdapterKind of that name"):
            Registry.discover().kind(entry.partition(" ")[0])

    def test_two_packages_that_offer_one_name_are_told(self, install: Any) -> None:
        install("pigeon_post", "pigeon = pigeon_post:KIND", source=self.PIGEON)
        install("rival_post", "pigeon = rival_post:KIND", source=self.PIGEON)
        with pytest.raises(ConfigurationError, match="more than one package: pigeon_post, rival_post"):
            Registry.discover().kind("pigeon")

    def test_the_shipped_kinds_are_declared_as_entry_points(self) -> None:
        project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
        for kind in (memory, http_post, file_drop):
            assert f'{kind.KIND.name} = "{kind.__name__}:KIND"' in project


@pytest.mark.parametrize("kind", [memory.KIND, http_post.KIND, file_drop.KIND], ids=lambda kind: kind.name)
def test_every_setting_of_a_kind_is_documented_and_no_other(kind: AdapterKind) -> None:
    pages = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text("utf-8").split("\n## ")
    (page,) = [page for page in pages if page.startswith(f"{kind.name}\n")]
    (table,) = [part for part in page.split("\n\n") if part.startswith("| setting |")]
    documented = {row.split("`")[1] for row in table.splitlines()[2:]}
    assert documented == set(kind.settings.model_fields)
