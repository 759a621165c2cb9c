from __future__ import annotations

from messaging.model.rates import Rates


def test_so_many_at_once_and_then_one_for_each_part_of_a_second() -> None:
    rates = Rates(rate=50, burst=100)
    assert [rates.take("a", 0.0) for _ in range(100)] == [0.0] * 100
    wait = rates.take("a", 0.0)
    assert round(wait, 6) == 0.02
    assert rates.take("a", 0.019) > 0
    assert rates.take("a", 0.0201) == 0
    assert rates.take("a", 0.0202) > 0
    assert sum(rates.take("a", 10.0) == 0 for _ in range(200)) == 100


def test_in_the_long_run_it_is_the_rate_however_often_one_asks() -> None:
    rates = Rates(rate=50, burst=100)
    let_in = sum(rates.take("a", tick / 1000) == 0 for tick in range(10_000))
    assert let_in in range(598, 601)


def test_one_bucket_says_nothing_of_another() -> None:
    rates = Rates(rate=1, burst=1)
    assert rates.take("a", 0.0) == 0
    assert rates.take("a", 0.0) > 0
    assert rates.take("b", 0.0) == 0


def test_a_look_takes_nothing() -> None:
    rates = Rates(rate=1, burst=2)
    assert {rates.wait("a", 0.0) for _ in range(5)} == {0.0}
    assert [rates.take("a", 0.0) for _ in range(2)] == [0.0, 0.0]
    assert rates.wait("a", 0.0) == rates.take("a", 0.0) == 1.0


def test_a_rate_of_zero_sets_no_limit() -> None:
    rates = Rates(rate=0, burst=1)
    assert {rates.take("a", 0.0) for _ in range(1000)} == {0.0}


def test_full_buckets_are_forgotten() -> None:
    rates = Rates(rate=1, burst=1)
    for key in range(30_000):
        rates.take(key, key * 2.0)
    assert len(rates._full_at) < 10_002
