"""Who may do what: the one decision behind every door."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from messaging.errors import Forbidden, Locked, NotFound

if TYPE_CHECKING:
    from messaging.model.party import Client


class Action(StrEnum):
    """What a caller can ask for."""

    SEND = "send"
    """Hand in a document in a party's name."""
    COLLECT = "collect"
    """Read a party's mailbox and notifications, and mark what was taken."""
    ACKNOWLEDGE = "acknowledge"
    """Answer a message with an AppRec in a receiver's name."""
    CONFIGURE = "configure"
    """Change a party's own configuration."""
    READ = "read"
    """See one message: its metadata, status and timeline."""
    READ_CONTENT = "read content"
    """See one message's document."""
    OPERATE = "operate"
    """See every message, resend and close."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What the action is about: the parties it touches, and those of them that are locked to a client."""

    her_ids: frozenset[int] = frozenset()
    locks: dict[int, str] = field(default_factory=dict)


_ACTING = frozenset({Action.SEND, Action.COLLECT, Action.ACKNOWLEDGE, Action.CONFIGURE})


def authorise(actor: Client, action: Action, resource: Resource) -> None:
    """Let the actor pass, or raise NotFound (a foreign message), Forbidden or Locked (a party not the actor's).

    To act for parties, all of them must be granted; to read a message, one of its parties suffices.
    """
    if action is Action.OPERATE:
        if not actor.is_operator:
            raise Forbidden("This needs the role operator; the key belongs to a party's client.")
    elif action in _ACTING:
        _act(actor, action, resource)
    elif not (actor.her_ids & resource.her_ids or (actor.is_operator and action is Action.READ)):
        raise NotFound("There is no such message, or it is not yours to see.")


def _act(actor: Client, action: Action, resource: Resource) -> None:
    foreign = sorted(resource.her_ids - actor.her_ids)
    if foreign:
        raise Forbidden(
            f"The key may not {action} for HER-id {', '.join(map(str, foreign))}.",
            details=[f"HER-id {her_id} is not granted to this client" for her_id in foreign],
        )
    if action is Action.COLLECT:
        return
    for her_id in sorted(resource.her_ids):
        if resource.locks.get(her_id, actor.id) != actor.id:
            raise Locked(f"HER-id {her_id} is locked to another client; that client can release it.")
