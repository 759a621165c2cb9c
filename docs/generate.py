# ruff: noqa: INP001 - a script, and no package
"""Write what the documentation takes from the code: `python docs/generate.py`. A test holds the pages to it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from messaging.model.lifecycle import FINAL, MOVES, OWNER, Event, State, transport_state
from messaging.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent
LIFECYCLE = ROOT / "docs" / "lifecycle.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- settings: written by docs/generate.py -->", "<!-- end of settings -->"

_BEGINS_IN = {
    State.PENDING: "routed to an adapter",
    State.WAITING: "routed to the mailbox",
    State.DELIVERED: "an AppRec, routed to the mailbox",
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
    meanings = _documented_members()
    for state in State:
        yield (
            f"`{state.value}`",
            meanings[state.name],
            OWNER[state] or "nobody",
            f"`{transport_state(state).value}`",
        )


def _documented_members() -> dict[str, str]:
    """Read what stands under each member of State in its source."""
    body = ast.parse(inspect.getsource(State)).body[0]
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


def settings() -> str:
    """Write the table of settings."""
    rows = (
        (f"`{PREFIX}{name.upper()}`", _default(field), field.description or "")
        for name, field in Settings.model_fields.items()
    )
    return _table(("Variable", "Default", "What it is for"), rows)


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    return f"`{value}`" if value not in ({}, ()) else "none"


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
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
