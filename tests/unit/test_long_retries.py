"""F14: a far side that is away for an hour or for five days, in a time of its own, for a thousand seeds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from long_retries import BEGIN, Life, away_for, latest, play, wrong

from messaging.model.retry import Circuit, RetryPolicy

POLICY = RetryPolicy()
HOUR, DAYS = timedelta(hours=1), timedelta(days=5)
PAUSE = Circuit().pause
SEEDS = range(1000)
FAILED_ONCE: list[int] = []
"""Seeds under which a promise was once broken; they are tried among the others, and stay."""


def ends(lives: list[Life]) -> set[str]:
    return {"delivered" if life.delivered_at else "given up" for life in lives}


def test_f14_after_an_hour_everything_is_delivered_within_the_longest_wait_under_a_thousand_seeds() -> None:
    away = away_for(HOUR)
    for seed in [*SEEDS, *FAILED_ONCE]:
        lives = play(seed, messages=10, is_away=away, policy=POLICY)
        assert wrong(lives, POLICY, is_away=away, pause=PAUSE) == [], seed
        assert max(life.delivered_at or life.gave_up_at or BEGIN for life in lives) <= latest(HOUR, POLICY), seed


def test_f14_after_five_days_what_is_given_up_had_all_its_attempts_under_a_thousand_seeds() -> None:
    away, given_up = away_for(DAYS), 0
    for seed in [*SEEDS, *FAILED_ONCE]:
        lives = play(seed, messages=4, is_away=away, policy=POLICY)
        assert wrong(lives, POLICY, is_away=away, pause=PAUSE) == [], seed
        given_up += sum(life.gave_up_at is not None for life in lives)
    assert given_up > 0


@pytest.mark.parametrize("length", [HOUR, DAYS], ids=["an hour", "five days"])
def test_f14_ten_thousand_messages_come_to_their_ends_and_the_route_is_not_flooded(length: timedelta) -> None:
    away = away_for(length)
    lives = play(7, messages=10_000, is_away=away, policy=POLICY)
    assert wrong(lives, POLICY, is_away=away, pause=PAUSE) == []
    assert ends(lives) == {"delivered"}, "the circuit saves the attempts of those who wait behind the first"


@pytest.mark.parametrize(
    ("life", "words"),
    [
        (Life([BEGIN]), "no end"),
        (Life([BEGIN] * 21, gave_up_at=BEGIN), "21 times"),
        (Life([BEGIN + timedelta(minutes=1)] * 19, gave_up_at=BEGIN), "given up after 19"),
        (Life([BEGIN] * 20, gave_up_at=BEGIN), "though the far side was there"),
        (Life([BEGIN + timedelta(minutes=1)], delivered_at=BEGIN), "while the far side was away"),
        (Life([BEGIN, BEGIN], delivered_at=BEGIN), "sent again"),
        (Life([BEGIN + timedelta(minutes=2)] * 20, gave_up_at=BEGIN), "within a minute"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_judge_sees_what_breaks_a_promise(life: Life, words: str) -> None:
    assert any(words in text for text in wrong([life], POLICY, is_away=away_for(HOUR), pause=PAUSE))
