"""Commands for the schemas that judge: ours, and packs of XSDs that the operator holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

import fixtures
from messaging.cli.terminal import AsFormat, Format, print_json, print_table
from messaging.documents import Catalogue, trial
from messaging.documents.packs import OURS, Pack, Shelf
from messaging.errors import ConfigurationError, InvalidRequest
from messaging.settings import load

schemas = typer.Typer(help="The schemas that judge: ours, and packs of XSDs that you hold.", no_args_is_help=True)

_FAULTY = 1
_HOLDS = "It holds from the next start of the exchange."


@dataclass(frozen=True, slots=True)
class _Namespace:
    """Who judges a namespace, and who else could."""

    namespace: str
    title: str
    version: str
    judge: str
    others: tuple[str, ...]


@schemas.command("list")
def list_schemas(form: AsFormat = Format.TEXT) -> None:
    """List the namespaces, with the schemas that judge them, and the installed packs."""
    with _in_words():
        shelf = _shelf()
        packs, broken = _opened(shelf)
        rows = _namespaces(packs, shelf.choice())
    if form is Format.JSON:
        told = [{"name": pack.name, "files": _digests(pack), "fault": ""} for pack in packs]
        told += [{"name": name, "files": {}, "fault": fault} for name, fault in broken.items()]
        print_json({"namespaces": [asdict(row) for row in rows], "packs": told})
        return
    print_table(
        ["Namespace", "Schema", "Version", "Judged by", "Also in"],
        [[row.namespace, row.title, row.version, row.judge, ", ".join(row.others)] for row in rows],
    )
    for fault in broken.values():
        typer.echo(fault, err=True)


@schemas.command()
def verify(form: AsFormat = Format.TEXT) -> None:
    """Compute every hash anew, compile, and try the fixtures: exit 0 all in order, 1 something is not."""
    with _in_words():
        shelf = _shelf()
    samples = _samples()
    valid, refused = ({n: c for n, c in samples.items() if n.startswith(part)} for part in ("valid/", "invalid/T02/"))
    found = {OURS: trial.faults_of_ours(valid, refused)}
    found |= {name: trial.faults_of_pack(shelf, name, samples) for name in shelf.names()}
    found["in use"] = trial.faults_in_use(shelf, samples)
    if form is Format.JSON:
        print_json([{"schemas": name, "ok": not fault, "fault": fault} for name, fault in found.items()])
    else:
        for name, fault in found.items():
            typer.echo(f"{name}: {fault or 'in order'}")
    raise typer.Exit(_FAULTY if any(found.values()) else 0)


@schemas.command()
def install(
    source: Annotated[Path, typer.Argument(metavar="DIR|ZIP", help="A folder or a ZIP of XSDs.")],
    name: Annotated[str, typer.Option(help="What to call the pack; without it, as the folder or file.")] = "",
) -> None:
    """Install a pack: it must compile, and judge the fixtures as ours does. It judges nothing before `use`."""
    with _in_words():
        pack = Pack.of(source, name)
        trial.install(_shelf(), pack, _samples())
    typer.echo(f"The schema pack {pack.name} is installed; it has {_counted(len(pack.schemas))}.")
    typer.echo(f"To let it judge: samhandling schemas use {pack.name}")


@schemas.command()
def use(
    pack: Annotated[str, typer.Argument(help="An installed pack, or `ours`.")],
    namespace: Annotated[str, typer.Option(help="Let it judge this namespace only; without it, all that it has.")] = "",
) -> None:
    """Let a pack judge instead of ours, or ours again."""
    with _in_words():
        chosen = trial.use(_shelf(), pack, namespace, _samples())
    who = "Our own schemas judge" if pack == OURS else f"The schema pack {pack} judges"
    typer.echo(f"{who} {namespace or _counted(len(chosen))}. {_HOLDS}")


@contextmanager
def _in_words() -> Iterator[None]:
    """Tell what cannot be done as such: nothing is being started here."""
    try:
        yield
    except ConfigurationError as error:
        raise InvalidRequest(str(error)) from error


def _counted(number: int) -> str:
    return f"{number} namespace" if number == 1 else f"{number} namespaces"


def _shelf() -> Shelf:
    return Shelf(load().schema_packs)


def _samples() -> dict[str, bytes]:
    """Give every fixture that can be read as XML."""
    names = [name for name in (*fixtures.valid(), *fixtures.invalid()) if not name.startswith("invalid/T01/")]
    return {name: fixtures.read(name) for name in names}


def _opened(shelf: Shelf) -> tuple[list[Pack], dict[str, str]]:
    """Open every pack; what is wrong with one is told by its name."""
    packs, broken = [], {}
    for name in shelf.names():
        try:
            packs.append(shelf.pack(name))
        except ConfigurationError as error:
            broken[name] = str(error)
    return packs, broken


def _digests(pack: Pack) -> dict[str, Any]:
    return {file: pack.digest(file) for file in sorted(pack.files)}


def _namespaces(packs: list[Pack], choice: dict[str, str]) -> list[_Namespace]:
    known = {schema.namespace: schema for schema in Catalogue.load().schemas}
    rows = []
    for namespace in dict.fromkeys([*known, *(one for pack in packs for one in pack.schemas)]):
        holders = [OURS] * (namespace in known) + [pack.name for pack in packs if namespace in pack.schemas]
        judge = choice.get(namespace) or (OURS if namespace in known else "")
        others = tuple(name for name in holders if name != judge)
        title, version = (known[namespace].title, known[namespace].version) if namespace in known else ("", "")
        rows.append(_Namespace(namespace, title, version, judge, others))
    return rows
