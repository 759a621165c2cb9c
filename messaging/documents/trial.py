"""Trying schema packs before they may judge: what ours accepts they accept, and what ours refuses they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from messaging.documents.catalogue import Catalogue
from messaging.documents.packs import OURS, Pack, Shelf
from messaging.documents.validation import Validator
from messaging.errors import ConfigurationError

Samples = Mapping[str, bytes]
"""Documents to try schemas on, by name."""

_MOST_NAMED = 5


def install(shelf: Shelf, pack: Pack, samples: Samples) -> None:
    """Try a pack with all its namespaces, and install it; it judges nothing yet.

    Raises ConfigurationError when it does not compile, or changes the verdict on a sample.
    """
    _try(dict.fromkeys(pack.schemas, pack), samples, pack.name)
    shelf.keep(pack)


def use(shelf: Shelf, name: str, namespace: str, samples: Samples) -> list[str]:
    """Let a pack (or ours) judge one namespace, or without one all that it has; give the namespaces that it is for.

    Raises ConfigurationError when it has not the namespace, or when the schemas cannot judge together.
    """
    if name == OURS:
        return _use_ours(shelf, namespace)
    pack = shelf.pack(name)
    chosen = [namespace] if namespace else sorted(pack.schemas)
    if chosen[0] not in pack.schemas:
        raise ConfigurationError(f"The schema pack {name} has no schema for the namespace {namespace!a}.")
    judges = shelf.judges() | dict.fromkeys(chosen, pack)
    _try(judges, samples, name)
    shelf.choose({one: pack.name for one, pack in judges.items()})
    return chosen


def _use_ours(shelf: Shelf, namespace: str) -> list[str]:
    """Let ours judge again, which needs no pack to be readable."""
    if not namespace:
        shelf.choose({})
        return [schema.namespace for schema in Catalogue.load().schemas]
    choice = shelf.choice()
    if namespace not in choice:
        raise ConfigurationError(f"No schema pack judges the namespace {namespace!a}; ours does, if we have it.")
    shelf.choose({one: pack for one, pack in choice.items() if one != namespace})
    return [namespace]


def faults_of_pack(shelf: Shelf, name: str, samples: Samples) -> str:
    """Tell what is wrong with an installed pack; empty when it is as installed and judges as ours does."""
    try:
        pack = shelf.pack(name)
        _try(dict.fromkeys(pack.schemas, pack), samples, name)
    except ConfigurationError as error:
        return str(error)
    return ""


def faults_in_use(shelf: Shelf, samples: Samples) -> str:
    """Tell what is wrong with the schemas that judge, ours and the packs' together; empty when nothing is."""
    try:
        _try(shelf.judges(), samples, "in use")
    except ConfigurationError as error:
        return str(error)
    return ""


def faults_of_ours(accepted: Samples, refused: Samples) -> str:
    """Tell which samples our own schemas judge otherwise than they should; empty when they judge all as they should."""
    validator = Validator(Catalogue.load())
    wrong = [name for name, content in accepted.items() if not validator.judge(content).accepted]
    wrong += [name for name, content in refused.items() if validator.judge(content).accepted]
    return f"Our own schemas judge otherwise than they should: {_some(wrong)}." if wrong else ""


def _try(judges: Mapping[str, Pack], samples: Samples, name: str) -> None:
    own = Catalogue.load()
    changed = []
    with closing(Validator(own)) as ours, closing(Validator(own.judged_by(judges))) as theirs:
        for sample, content in samples.items():
            was, now = (one.judge(content, schema_only=True) for one in (ours, theirs))
            if was.accepted is not now.accepted:
                fault = f": {now.faults[0].sentence()}" if now.faults else ""
                changed.append(f"{sample} is {'accepted' if now.accepted else 'refused'}{fault}")
    if changed:
        raise ConfigurationError(
            f"The schema pack {name} judges otherwise than ours: {_some(changed)}. It may not be used; ours judge on."
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return "; ".join(names[:_MOST_NAMED]) + more
