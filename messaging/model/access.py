"""Who may do what: the one decision behind every door. What is not allowed here is denied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from messaging.errors import Forbidden, Locked, NotFound

if TYPE_CHECKING:
    from messaging.model.party import Client


class Action(StrEnum):
    """What a caller can ask for; a key, a token or an account may be limited to some of these."""

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
    """See one message's document, as one of its parties."""
    OVERSEE = "oversee"
    """See every message's metadata, every party, and every refusal."""
    OPERATE = "operate"
    """Resend and close deliveries, and read a document for a reason that is kept."""
    AUDIT = "audit"
    """Read, verify, prove and export the audit log."""
    ADMINISTER = "administer"
    """Say who takes part and who may call: parties, clients, keys, accounts, locks."""


class Role(StrEnum):
    """A client acts for parties, or it watches over the exchange in one of three ways."""

    PARTY = "party"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    """Sees all and changes nothing; never a document."""
    ADMIN = "admin"
    """An operator who also says who may call."""


_FOR_PARTIES = frozenset({Action.SEND, Action.COLLECT, Action.ACKNOWLEDGE, Action.CONFIGURE})
_OF_MESSAGES = frozenset({Action.READ, Action.READ_CONTENT})
_OVERSEEING = frozenset({Action.READ, Action.OVERSEE, Action.AUDIT})

ALLOWED: Mapping[Role, frozenset[Action]] = MappingProxyType(
    {
        Role.PARTY: _FOR_PARTIES | _OF_MESSAGES,
        Role.OPERATOR: _OVERSEEING | {Action.OPERATE},
        Role.AUDITOR: _OVERSEEING,
        Role.ADMIN: _OVERSEEING | {Action.OPERATE, Action.ADMINISTER},
    }
)
"""What each role may do at all; a party's client only for its own HER-ids and its own messages."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What the action is about: the parties it touches, and those of them that are locked to a client."""

    her_ids: frozenset[int] = frozenset()
    locks: dict[int, str] = field(default_factory=dict)


NOTHING = Resource()
"""The action is about the exchange as a whole."""


def authorise(actor: Client, action: Action, resource: Resource = NOTHING) -> None:
    """Let the actor pass, or raise NotFound (a foreign message), Forbidden or Locked (a party not the actor's).

    To act for parties, all of them must be granted; to read a message, one of its parties suffices.
    """
    try:
        permit(actor, action)
    except Forbidden:
        if action in _OF_MESSAGES:
            raise NotFound("There is no such message, or it is not yours to see.") from None
        raise
    if action in _FOR_PARTIES:
        _act(actor, action, resource)
    elif action in _OF_MESSAGES and not (actor.oversees or actor.her_ids & resource.her_ids):
        raise NotFound("There is no such message, or it is not yours to see.")


def permit(actor: Client, action: Action) -> None:
    """Let an actor pass whose role and limits leave the action at all; what it then finds is its own. Raises Forbidden.

    It is decided before anything is looked up, and so tells nothing of what there is.
    """
    if action not in ALLOWED[actor.role]:
        raise Forbidden(f"This needs leave to {action}: the caller has the role {actor.role}, which may not do this.")
    if actor.limited_to is not None and action not in actor.limited_to:
        raise Forbidden(f"This needs leave to {action}: the caller's own limits leave out the scope {action!r}.")


def _act(actor: Client, action: Action, resource: Resource) -> None:
    foreign = sorted(resource.her_ids - actor.her_ids)
    if foreign:
        raise Forbidden(
            f"The key may not {action} for HER-id {', '.join(map(str, foreign))}.",
            details=[f"HER-id {her_id} is not granted to this client" for her_id in foreign],
        )
    if action is Action.COLLECT:
        return
    locked = [her_id for her_id in sorted(resource.her_ids) if resource.locks.get(her_id, actor.id) != actor.id]
    if locked:
        raise Locked(f"HER-id {locked[0]} is locked to another client; that client can release it.", her_ids=locked)
