"""The one decision about access."""

from __future__ import annotations

import pytest

from messaging.errors import Forbidden, Locked, NotFound
from messaging.model.access import ALLOWED, Action, Resource, Role, authorise, permit
from messaging.model.party import Client

WARD = Client("ward", "ward", her_ids=frozenset({1, 2}))
OPERATOR = Client("op", "op", role=Role.OPERATOR)
ACTING = [Action.SEND, Action.COLLECT, Action.ACKNOWLEDGE, Action.CONFIGURE]


@pytest.mark.parametrize("action", ACTING)
def test_to_act_every_her_id_must_be_granted(action: Action) -> None:
    authorise(WARD, action, Resource(frozenset({1, 2})))
    with pytest.raises(Forbidden):
        authorise(WARD, action, Resource(frozenset({1, 3})))
    with pytest.raises(Forbidden):
        authorise(OPERATOR, action, Resource(frozenset({1})))


@pytest.mark.parametrize("action", [Action.READ, Action.READ_CONTENT])
def test_to_read_one_party_of_the_message_suffices_and_a_foreign_one_is_not_there(action: Action) -> None:
    authorise(WARD, action, Resource(frozenset({1, 99})))
    for between in (frozenset({98, 99}), frozenset[int]()):
        with pytest.raises(NotFound):
            authorise(WARD, action, Resource(between))


def test_an_operator_sees_the_message_and_not_its_document() -> None:
    authorise(OPERATOR, Action.READ, Resource(frozenset({99})))
    with pytest.raises(NotFound):
        authorise(OPERATOR, Action.READ_CONTENT, Resource(frozenset({99})))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", [Action.OVERSEE, Action.OPERATE, Action.AUDIT, Action.ADMINISTER])
def test_what_concerns_the_exchange_as_a_whole_is_for_the_roles_that_have_it(role: Role, action: Action) -> None:
    actor = Client("somebody", "somebody", role=role, her_ids=frozenset({1}))
    if action in ALLOWED[role]:
        authorise(actor, action)
    else:
        with pytest.raises(Forbidden):
            authorise(actor, action)


def test_an_auditor_changes_nothing_and_a_party_watches_over_nothing() -> None:
    assert ALLOWED[Role.AUDITOR] == {Action.READ, Action.OVERSEE, Action.AUDIT}
    assert not ALLOWED[Role.PARTY] & {Action.OVERSEE, Action.OPERATE, Action.AUDIT, Action.ADMINISTER}


def test_a_key_limited_to_some_actions_may_do_no_others() -> None:
    sender = Client("sender", "sender", her_ids=frozenset({1}), limited_to=frozenset({Action.SEND}))
    authorise(sender, Action.SEND, Resource(frozenset({1})))
    with pytest.raises(Forbidden):
        authorise(sender, Action.COLLECT, Resource(frozenset({1})))
    with pytest.raises(NotFound):
        authorise(sender, Action.READ, Resource(frozenset({1})))


def test_what_a_role_or_its_limits_leave_out_is_refused_before_anything_is_looked_up() -> None:
    permit(WARD, Action.READ)
    for actor in (OPERATOR, Client("sender", "sender", her_ids=frozenset({1}), limited_to=frozenset({Action.SEND}))):
        with pytest.raises(Forbidden):
            permit(actor, Action.READ_CONTENT)


@pytest.mark.parametrize("action", [Action.SEND, Action.ACKNOWLEDGE, Action.CONFIGURE])
def test_a_party_locked_to_another_client_is_locked(action: Action) -> None:
    authorise(WARD, action, Resource(frozenset({1}), {1: "ward"}))
    with pytest.raises(Locked):
        authorise(WARD, action, Resource(frozenset({1}), {1: "another"}))
    authorise(WARD, Action.COLLECT, Resource(frozenset({1}), {1: "another"}))


def test_every_action_is_decided_about() -> None:
    for action in Action:
        with pytest.raises((Forbidden, NotFound)):
            authorise(Client("nobody", "nobody"), action, Resource(frozenset({1})))
