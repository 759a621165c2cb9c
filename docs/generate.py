# ruff: noqa: INP001 - a script, and no package
"""Write what the documentation takes from the code: `python docs/generate.py`. A test holds the pages to it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from messaging.documents.bounds import WORDS
from messaging.documents.rules import RULES
from messaging.documents.rules.declaration import Rule
from messaging.keeping_settings import KeepingSettings
from messaging.limit_settings import LimitSettings
from messaging.model.faults import TEXTS, FaultCode
from messaging.model.lifecycle import FINAL, MOVES, OWNER, Event, State, transport_state
from messaging.model.limits import ATTACHMENT_TYPES
from messaging.model.rules import ALWAYS_REJECT, NEVER_REJECT, RuleName
from messaging.serving_settings import ServingSettings
from messaging.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent
LIFECYCLE = ROOT / "docs" / "lifecycle.md"
RULES_PAGE = ROOT / "docs" / "rules.md"
LIMITS_PAGE = ROOT / "docs" / "limits.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- settings: written by docs/generate.py -->", "<!-- end of settings -->"

_BEGINS_IN = {
    State.PENDING: "routed to an adapter",
    State.WAITING: "routed to the mailbox",
    State.DELIVERED: "an AppRec, routed to the mailbox",
    State.SUPERSEDED: "its change or cancellation came first",
}


_LIFECYCLE = """\
# The life of a delivery

<!-- written by docs/generate.py from messaging/model/lifecycle.py; change it there -->

A delivery is one message on its way to one receiver. Its **state** says what is waited for, an **event** what happened.
Every move and its audit line are written in the same transaction, by one function. What is not in the table of moves is
recorded in the audit log and moves nothing.

```mermaid
{diagram}
```

Not in the picture: an AppRec is taken in every state that is not final, and in `closed`; an operator can close a
delivery in any of these states but `sending`. The table of moves has them all.

## States

{states}

A delivery that the receiver's system refused when it was handed over is `rejected`, and `Rejected` in EDI 2.0. One that
was answered with a negative AppRec is `rejected` too, and its transport is `Acknowledged`.

## Moves

{moves}
"""


def lifecycle() -> str:
    """Write the life of a delivery: the picture, the states, and every legal move."""
    return _LIFECYCLE.format(
        diagram="\n".join(_diagram()),
        states=_table(("State", "What is waited for", "Owner", "`transportDeliveryState`"), _states()),
        moves=_table(("State", "Event", "Next state"), _moves()),
    )


def _diagram() -> list[str]:
    lines = ["stateDiagram-v2"]
    lines += [f"    [*] --> {state.value}: {why}" for state, why in _BEGINS_IN.items()]
    for (state, event), after in MOVES.items():
        if _is_drawn(state, event):
            lines.append(f"    {state.value} --> {after.value}: {event.value}")
    return [*lines, *(f"    {state.value} --> [*]" for state in State if state in FINAL)]


def _is_drawn(state: State, event: Event) -> bool:
    """Leave out the moves that nearly every state has; they would hide the road."""
    if event in (Event.ACKNOWLEDGED, Event.REJECTED):
        return state in (State.SENT, State.COLLECTED)
    return event is not Event.CLOSED or state is State.FAILED


def _states() -> Iterable[tuple[str, ...]]:
    meanings = _documented_members(State)
    for state in State:
        yield (
            f"`{state.value}`",
            meanings[state.name],
            OWNER[state] or "nobody",
            f"`{transport_state(state).value}`",
        )


def _documented_members(enumeration: type[Enum]) -> dict[str, str]:
    """Read what stands under each member of an enumeration in its source."""
    body = ast.parse(inspect.getsource(enumeration)).body[0]
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - it is the source of a class
    found = {}
    for member, meaning in zip(body.body, body.body[1:], strict=False):
        if isinstance(member, ast.Assign) and isinstance(meaning, ast.Expr):
            name, text = member.targets[0], meaning.value
            if isinstance(name, ast.Name) and isinstance(text, ast.Constant):
                found[name.id] = str(text.value)
    return found


def _moves() -> Iterable[tuple[str, ...]]:
    order = list(State)
    for (state, event), after in sorted(MOVES.items(), key=lambda move: order.index(move[0][0])):
        yield f"`{state.value}`", f"`{event.value}`", f"`{after.value}`"


_RULES = """\
# The rules

<!-- written by docs/generate.py from messaging/documents/rules; change it there -->

What the schemas cannot say about a document, the rules do. Each has a name, a severity and a source. A document is
judged in this order: its form (T01), its kind (T10), its schema (T02), then every rule; whatever is wrong is told at
once, in Norwegian or English (`Accept-Language`, `samhandling validate --lang no`), with its place, and never with a
word of the document.

* `reject`: the message is refused with the rule's code of list 8221, as a negative AppRec has it.
* `warn`: the message goes on, and its sender is told with the receipt; the code of a warning is the name of the rule.
* `off`: the rule is not held.

{table}

## What each rule tells

{texts}

## Make a rule stricter or milder

In the settings file, one line for each exception:

```toml
rules = [
  {{ rule = "two-levels", severity = "warn" }},
  {{ rule = "person-numbers", severity = "reject", type = "EPIKRISE" }},
  {{ rule = "attachment-type", severity = "warn", her_id = 8120001 }},
  {{ rule = "trailing-blanks", severity = "off" }},
]
```

A line for a `type` (the code of list 8279) counts for messages of that type. A line for a `her_id` counts when the
receiver with that HER-id, as service, person or organisation, is among the document's receivers. Of the lines that fit,
one for a receiver counts before one for a type, and both before one for all; of two that are equally narrow, the
stricter.

The standards forbid to refuse a message for some things, and these rules cannot be set to `reject`: {never}. Others
cannot be set to anything but `reject`, because a message that breaks them could not be kept, answered or handed to
anybody: {always}.

`samhandling validate` and `POST /validate` judge by the same settings. With `--schema-only` no rule is held.

## Code lists

`code-in-list` holds codes against the lists in [schemas/codelists](../schemas/codelists/README.md). Newer ones can be
put in a folder of your own, which the setting `code_lists` names.

## Attachments

The types that are taken: {taken}. That Base64 decodes is the schema's to say (T02), and `attachment-base64`'s.

## Codes

{codes}

E35 (the patient is not known in the receiver's system) is the receiver's own answer, and never the exchange's. E20,
E30, E32 to E34, E53 and E54 may be given only where a documented business process says so (HIS 80415 6.3); the exchange
gives none of them, and S01 to S03 only where its operator has signatures looked at (docs/signatures.md).

## Where the sources disagree

{conflicts}
"""

_CONFLICTS = (
    (
        "A HER-id is missing on level 1 or 2",
        "HIS 80415: may be refused; official system tests 17 and 18: shall be refused",
        "refused with E21",
        "`two-levels` to `warn`: the level that is there is used",
    ),
    (
        "MsgId is there, and no UUID",
        "HITS 1168: shall be refused; the schema takes any text",
        "refused with E10",
        "`msg-id-uuid` to `warn` or `off`, for a sender that cannot be mended at once",
    ),
    (
        "A name is missing on level 1 or 2",
        "HIS 1153-2 demands it; no test and no row on AppRec mentions it",
        "taken with a warning",
        "`party-names` to `reject` (E21) or `off`",
    ),
    (
        "The document does not validate, is of an unknown format, or is not well-formed",
        "HIS 80415: may get T02, T10, T01; official system test 16: shall get one",
        "refused with T02, T10 or T01",
        "none: what cannot be read cannot be delivered",
    ),
    (
        "The receiver is of another organisation, and neither level is known here",
        "HITS 1168 5.3: no AppRec; official system test 22: E21",
        "refused to its sender; E21 as an AppRec only where the organisation (level 1) is known here",
        "none",
    ),
    (
        "An AppRec comes after more than 96 hours",
        "HITS 1168: a late one counts, and late import is allowed; official system test 42: late import is forbidden",
        "alarm after 96 hours; a later positive AppRec still settles the message",
        "`receipt_within_hours`, `receipt_within_hours_by_type`",
    ),
    (
        "A type that may only be new or cancelled is changed (M)",
        "HISD 1154: not allowed; HITS 1168: what a message means is no ground for a negative AppRec",
        "taken with a warning",
        "`dispatch-status` to `off`",
    ),
    (
        "A code is outside its list, or its list or text is missing",
        "the standards demand it; HITS 1168: an invalid code is no ground for a negative AppRec",
        "taken with a warning",
        "`code-in-list`, `code-attributes` to `off`",
    ),
    (
        "A patient who is not identified, in an emergency referral (Henvisning, priority 0)",
        "E36 for every message; HITS 1168: an emergency referral that can be read is always taken",
        "taken with a warning",
        "`patient-in-emergency` to `off`",
    ),
    (
        "An AppRec without HER-ids, as some official examples of version 1.0 are",
        "its schema takes it; HITS 1168 and HIS 1153-2 address by HER-id",
        "refused with E21: nobody knows whom it answers",
        "none",
    ),
    (
        "`ProcessingStatus`",
        "HIS 80601 names list 8113 in one place and 8213 in another",
        "held against 8113",
        "`code-in-list` to `off`",
    ),
    (
        "`TidsfestetHendelse/Anslag`",
        "HIS 80704: true is an estimate; HIS 1149: true is final",
        "both are taken, and neither is warned of",
        "none",
    ),
)


def rules() -> str:
    """Write every rule: what it demands, how severe it is, what it tells, and where the sources disagree."""
    return _RULES.format(
        table=_table(("Rule", "Severity", "Code", "What it demands", "Source"), map(_rule, RULES)),
        texts="\n\n".join(map(_texts, RULES)),
        never=_names(NEVER_REJECT),
        always=_names(ALWAYS_REJECT),
        taken=", ".join(f"`{mime}`" for mime in sorted(ATTACHMENT_TYPES)),
        codes=_table(("Code", "Name (list 8221)", "What it means here"), _codes()),
        conflicts=_table(("Situation", "What the sources say", "Here", "Switch"), _CONFLICTS),
    )


def _names(names: frozenset[RuleName]) -> str:
    return ", ".join(f"`{name.value}`" for name in RuleName if name in names)


def _rule(rule: Rule) -> tuple[str, ...]:
    return f"`{rule.name.value}`", rule.severity.value, rule.code.value, rule.demands, rule.source


def _texts(rule: Rule) -> str:
    return f"`{rule.name.value}`\n: {rule.text.english}\n: {rule.text.norwegian}"


def _codes() -> Iterable[tuple[str, ...]]:
    meanings = _documented_members(FaultCode)
    for code in FaultCode:
        yield code.value, TEXTS[code], meanings[code.name]


_LIMITS = """\
# What a document may hold

<!-- written by docs/generate.py from messaging/limit_settings.py; change it there -->

A document is read by one parser, in this order: its size, its encoding, what stands before the root element, a count of
what the parse can cost, the parse itself, and the limits below. The first that fails is told as one fault with the code
T01, its line where it has one, and what to do about it. A refusal takes a few milliseconds, whatever stands there.

## Always

* XML 1.0, in UTF-8 (with or without BOM, declared or not) or declared ISO-8859-1, and every byte valid in it.
* No DOCTYPE, and so no entity but the five that XML itself defines: it is refused before the parser sees it.
* Nothing is fetched, opened or run that a document names: no DTD, schema, stylesheet, inclusion or key.
* Base64 is strict (the schema's `xs:base64Binary`), and what it holds is never unpacked and never parsed.

## Limits that can be set

In the settings file, for those that shall differ:

```toml
largest_document_bytes = 20000000

[limits]
depth = 32
encodings = ["utf-8"]
attachment_types = ["application/pdf", "image/jpeg", "image/png"]
```

In the environment they are one JSON value: `SAMHANDLING_LIMITS={{"depth": 32}}`.

{table}

`largest_document_bytes` ({size}) bounds all of it: a larger document is answered with 413, and not read to its end.

## What is told

{texts}
"""


def limits() -> str:
    """Write every limit: its default, what it is for, and what is told when it is exceeded."""
    fields = LimitSettings.model_fields
    rows = ((f"`{name}`", _default(field), field.description or "") for name, field in fields.items())
    return _LIMITS.format(
        table=_table(("Key", "Default", "What it is for"), rows),
        size=Settings.model_fields["largest_document_bytes"].default,
        texts="\n\n".join(f"`{limit}`\n: {text.replace('{most}', 'N')}" for limit, text in WORDS.items()),
    )


def settings() -> str:
    """Write the table of settings."""
    rows = (
        (f"`{PREFIX}{name.upper()}`", _default(field), field.description or "")
        for name, field in sorted(Settings.model_fields.items(), key=lambda one: _part(one[0]))
    )
    return _table(("Variable", "Default", "What it is for"), rows)


def _part(name: str) -> int:
    """Tell which part of the settings comes first: those of the exchange, those of callers, those of keeping."""
    return 1 if name in ServingSettings.model_fields else 2 if name in KeepingSettings.model_fields else 0


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "as listed there"
    if isinstance(value, tuple | frozenset) and value:
        return ", ".join(f"`{one}`" for one in sorted(value))
    return f"`{value}`" if value not in ({}, (), None) else "none"


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heading, tuple("---" for _ in heading), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def readme(text: str) -> str:
    """Put the table of settings between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{settings()}\n{END}{after}"


if __name__ == "__main__":
    LIFECYCLE.write_text(lifecycle(), encoding="utf-8")
    RULES_PAGE.write_text(rules(), encoding="utf-8")
    LIMITS_PAGE.write_text(limits(), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
