"""Passphrases that are refused, pauses that grow, marks that only we can have given."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from messaging.errors import Unavailable
from messaging.flow import marks
from messaging.model.access import Action, Role
from messaging.model.account import Account, pause_after
from messaging.model.passphrases import LONGEST, normalised, weakness
from messaging.passwords import Passwords

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
SLOWER = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)


@pytest.mark.parametrize(
    "passphrase",
    [
        "kaffe og tykk tåke",
        "tykktåkeoverfjorden",
        "seven umbrellas",
        "x7#Kq9!vLm2z",
        "92837465109283",
        "mus  i   melken",
        "Ærlige ørner åpner ø",
        "a" * 100 + "bcqxyz kaffe" * 13,
    ],
)
def test_a_long_passphrase_is_taken_whatever_its_characters(passphrase: str) -> None:
    assert weakness(passphrase, name="kari") is None


@pytest.mark.parametrize(
    "passphrase",
    [
        "password1234",
        "Passord123456!",
        "P4ssw0rd!!2026",
        "passordpassord",
        "Sommer2026!!!!",
        "sommervinter26",
        "velkommen12345",
        "123456789012",
        "abcdefghijklmno",
        "qwertyuiop123456",
        "aaaaaaaaaaaa",
        "abababababab",
        "administrator1",
        "kari.nordmann",
        "nordmann-kari.nordmann",
    ],
)
def test_what_everybody_tries_first_is_refused(passphrase: str) -> None:
    told = weakness(passphrase, name="kari.nordmann" if "kari" in passphrase else "ola")
    if passphrase == "nordmann-kari.nordmann":
        assert told is None, "more than the name is in it"
    else:
        assert told is not None
        assert "tried first" in told


def test_length_is_counted_in_characters_and_has_two_ends() -> None:
    assert "at least 12" in str(weakness("tykk tåke å"))
    assert weakness("tykk tåke åå") is None
    long = "kaffe og tåke " * 20
    assert weakness(long[:LONGEST]) is None
    assert "at most 256" in str(weakness(long[: LONGEST + 1]))
    assert "cannot be typed" in str(weakness("kaffe og\ntykk tåke"))


def test_a_passphrase_is_the_same_on_every_keyboard() -> None:
    composed, decomposed = "tykk tåke", "tykk ta\N{COMBINING RING ABOVE}ke"
    assert composed != decomposed
    assert normalised(composed) == normalised(decomposed)


def test_pauses_begin_after_five_failures_double_and_never_grow_past_a_quarter_of_an_hour() -> None:
    assert [pause_after(failures) for failures in range(5)] == [None] * 5
    seconds = [pause.total_seconds() for failures in range(5, 12) if (pause := pause_after(failures))]
    assert seconds == [30, 60, 120, 240, 480, 900, 900]
    assert pause_after(10_000) == timedelta(minutes=15)


def test_people_of_a_party_only_look() -> None:
    looks = Account("kari", "Kari", Role.PARTY, frozenset({8110001})).actor
    assert looks.limited_to == {Action.READ}
    assert Account("ola", "Ola", Role.OPERATOR).actor.limited_to is None
    assert looks.id == "person:kari"


def test_a_mark_is_known_for_its_own_account_and_its_own_secret() -> None:
    pepper = b"p" * 32
    mark = marks.browser_mark(pepper, "kari")
    assert marks.known_browser(pepper, "kari", mark) == mark.partition(".")[0]
    for name, key, shown in (
        ("ola", pepper, mark),
        ("kari", b"q" * 32, mark),
        ("kari", pepper, mark[:-1]),
        ("kari", pepper, ""),
    ):
        assert marks.known_browser(key, name, shown) is None


def test_a_form_token_belongs_to_one_token() -> None:
    pepper, token, other = b"p" * 32, marks.new_token(), marks.new_token()
    assert marks.belongs(pepper, token, marks.form_token(pepper, token))
    assert not marks.belongs(pepper, other, marks.form_token(pepper, token))
    assert not marks.belongs(pepper, token, "")
    assert not marks.belongs(pepper, token, "blåbær")


async def test_a_passphrase_matches_its_own_hash_and_nobodys_matches_none() -> None:
    passwords = Passwords(QUICK)
    kept = await passwords.hash("kaffe og tåke")
    assert kept.startswith("$argon2id$")
    assert await passwords.matches(kept, "kaffe og tåke")
    assert not await passwords.matches(kept, "kaffe og tåka")
    assert not await passwords.matches(None, "kaffe og tåke")
    assert not await passwords.matches("no hash at all", "kaffe og tåke")


async def test_a_hash_made_at_other_costs_is_outdated() -> None:
    kept = await Passwords(QUICK).hash("kaffe og tåke")
    assert not Passwords(QUICK).is_outdated(kept)
    assert Passwords(SLOWER).is_outdated(kept)
    assert await Passwords(SLOWER).matches(kept, "kaffe og tåke")


async def test_few_are_hashed_at_once_and_few_wait() -> None:
    passwords = Passwords(QUICK, at_once=1)
    done = await asyncio.gather(*(passwords.hash("kaffe og tåke") for _ in range(40)), return_exceptions=True)
    assert sum(isinstance(one, str) for one in done) == 20
    assert sum(isinstance(one, Unavailable) for one in done) == 20
    assert await passwords.hash("kaffe og tåke")
