"""Which adapter kinds are installed, and how the configured instances of them are opened and closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from messaging.errors import ConfigurationError
from messaging.model.routes import MAILBOX
from messaging.reach import PUBLIC, Reach
from messaging.spi import Adapter, AdapterKind

GROUP = "messaging.adapters"
"""The entry point group in which a package names the kinds that it brings."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A configured adapter that has been checked and not yet opened."""

    name: str
    kind: AdapterKind
    settings: Any


@dataclass(frozen=True, slots=True)
class Registry:
    """The installed kinds by name; a kind's code is imported when an instance asks for it, and not before."""

    offers: Mapping[str, Callable[[], AdapterKind]]

    @classmethod
    def discover(cls) -> Registry:
        """Find what the installed packages offer."""
        found: dict[str, dict[str, EntryPoint]] = {}
        for point in entry_points(group=GROUP):
            found.setdefault(point.name, {})[point.value] = point
        return cls({name: _loading(name, list(points.values())) for name, points in sorted(found.items())})

    @classmethod
    def of(cls, *kinds: AdapterKind) -> Registry:
        """Take exactly these kinds, for a program that brings its own."""
        return cls({kind.name: lambda kind=kind: kind for kind in kinds})  # type: ignore[misc]

    def kind(self, name: str) -> AdapterKind:
        """Import a kind by its name.

        Raises ConfigurationError when no installed package offers it, when two do, or when its code cannot be used.
        """
        if name not in self.offers:
            raise ConfigurationError(
                f"kind {name!r} is not installed. Known kinds: {_listed(self.offers)}. "
                "Name one of them, or install the package that brings this one"
            )
        return self.offers[name]()

    def check(self, configured: Mapping[str, Mapping[str, Any]]) -> tuple[Instance, ...]:
        """Check the settings of every instance against its kind, opening nothing.

        `configured` maps an instance's name to its settings, of which "kind" is one. Raises ConfigurationError with
        every complaint at once.
        """
        instances, complaints = [], []
        for name, given in configured.items():
            try:
                instances.append(self._instance(name, given))
            except ConfigurationError as complaint:
                complaints.append(f"adapter instance {name!r}: {complaint}")
        if complaints:
            raise ConfigurationError("; ".join(complaints))
        return tuple(instances)

    def _instance(self, name: str, given: Mapping[str, Any]) -> Instance:
        if name == MAILBOX:
            raise ConfigurationError("this name is the exchange's own, for the mailbox; give the instance another")
        settings = dict(given)
        wanted = settings.pop("kind", None)
        if not isinstance(wanted, str):
            raise ConfigurationError(f"setting 'kind' is missing. Known kinds: {_listed(self.offers)}")
        kind = self.kind(wanted)
        try:
            return Instance(name, kind, kind.settings.model_validate(settings, extra="forbid"))
        except ValidationError as error:
            raise ConfigurationError(", ".join(_complaints(error, kind))) from None  # its text would hold the values

    @asynccontextmanager
    async def open(
        self, configured: Mapping[str, Mapping[str, Any]], reach: Reach = PUBLIC
    ) -> AsyncIterator[Mapping[str, Adapter]]:
        """Open every instance in the order given, and close them in the reverse order; `reach` says whom they may call.

        Raises ConfigurationError when a setting is wrong or an instance cannot be opened; what was open is then closed.
        """
        instances = self.check(configured)
        async with AsyncExitStack() as opened:
            yield {instance.name: await _opened(instance, reach, opened) for instance in instances}


async def _opened(instance: Instance, reach: Reach, stack: AsyncExitStack) -> Adapter:
    try:
        return await stack.enter_async_context(instance.kind.open(instance.name, instance.settings, reach))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"adapter instance {instance.name!r} of kind {instance.kind.name} cannot be opened: {error}"
        ) from error


def require_known(routes: Iterable[str], instances: Iterable[str]) -> None:
    """Stop the start when a route names an instance that nobody configured.

    `routes` are the names that routes lead to; the mailbox is always known. Raises ConfigurationError.
    """
    known = {MAILBOX, *instances}
    if unknown := sorted(set(routes) - known):
        raise ConfigurationError(
            f"unknown route: no adapter instance is named {_listed(unknown)}. Known: {_listed(sorted(known))}. "
            "Mend the route, or configure the instance under 'adapters'"
        )


def _loading(name: str, points: list[EntryPoint]) -> Callable[[], AdapterKind]:
    def load() -> AdapterKind:
        if len(points) > 1:
            packages = _listed(sorted({_package(point) for point in points}))
            raise ConfigurationError(
                f"kind {name!r} is offered by more than one package: {packages}. Uninstall all but one"
            )
        return _load(points[0])

    return load


def _load(point: EntryPoint) -> AdapterKind:
    told = f"kind {point.name!r} from package {_package(point)!r}"
    try:
        kind = point.load()
    except Exception as error:
        raise ConfigurationError(
            f"{told} cannot be imported: {type(error).__name__}: {error}. Install it again, or uninstall it"
        ) from error
    if not isinstance(kind, AdapterKind) or kind.name != point.name:
        raise ConfigurationError(f"{told}: {point.value} is no AdapterKind of that name. Tell the package's author")
    return kind


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.module


def _complaints(error: ValidationError, kind: AdapterKind) -> Iterable[str]:
    known = f"Known settings of {kind.name}: {_listed(kind.settings.model_fields)}"
    for one in error.errors(include_input=False, include_context=False, include_url=False):
        setting = ".".join(str(part) for part in one["loc"])
        match one["type"]:
            case "extra_forbidden":
                yield f"setting {setting!r} is not known. {known}"
            case "missing":
                yield f"setting {setting!r} is missing. {known}"
            case _:
                said = one["msg"].removeprefix("Value error, ")
                yield f"setting {setting!r}: {said}" if setting else f"settings: {said}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
