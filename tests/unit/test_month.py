"""The made-up month: the same by the same seed, valid but for what is spoiled on purpose, and nobody in it exists."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

import fixtures
from fixtures import region
from fixtures.month import LENGTH, Posting, month
from fixtures.spoil import FAULTS, WARNINGS
from messaging.documents import Catalogue, Validator, Verdict
from messaging.documents.rules.person_numbers import is_valid
from messaging.model.clock import OSLO
from messaging.model.message import DispatchStatus

NOW = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def postings() -> list[Posting]:
    return month(NOW, seed=7, messages=500)


@pytest.fixture(scope="module")
def verdicts(postings: list[Posting]) -> list[Verdict]:
    validator = Validator(Catalogue.load(), clock=lambda: NOW)
    return [validator.judge(posting.content()) for posting in postings]


def test_the_same_seed_makes_the_same_month_and_another_one_another() -> None:
    def ids(seed: int) -> list[str]:
        return [posting.draft.msg_id for posting in month(NOW, seed=seed, messages=60)]

    assert ids(1) == ids(1)
    assert set(ids(1)).isdisjoint(ids(2))


def test_it_is_about_as_long_as_asked_in_order_and_lies_in_the_month(postings: list[Posting]) -> None:
    moments = [posting.at for posting in postings]
    assert 500 <= len(postings) - sum(posting.wrong in FAULTS for posting in postings) < 520
    assert moments == sorted(moments)
    assert NOW - LENGTH - timedelta(hours=1) < moments[0]
    assert moments[-1] < NOW


def test_documents_are_valid_but_for_what_is_spoiled_on_purpose(
    postings: list[Posting], verdicts: list[Verdict]
) -> None:
    seen = set()
    for posting, verdict in zip(postings, verdicts, strict=True):
        faults = {fault.code.value for fault in verdict.faults}
        warnings = {warning.code.value for warning in verdict.warnings}
        if posting.wrong in FAULTS:
            only_the_exchange_can_tell = posting.wrong == "E21"
            assert faults == (set() if only_the_exchange_can_tell else {posting.wrong})
        else:
            assert faults == set()
            assert warnings <= {posting.wrong}
        seen |= faults | warnings
    assert len(seen & set(FAULTS)) > 3
    assert seen & set(WARNINGS)


def test_what_a_month_must_have_is_in_it(postings: list[Posting], verdicts: list[Verdict]) -> None:
    envelopes = [verdict.envelope for verdict in verdicts if verdict.accepted and verdict.envelope]
    referrals = [one for one in envelopes if one.type == "HENVISNING_NYTILSTAND"]
    first: dict[str, DispatchStatus | None] = {}
    for one in referrals:
        first.setdefault(str(one.link), one.status)
    statuses = Counter(one.status for one in referrals)
    assert statuses[DispatchStatus.CANCELLATION] >= 2
    assert statuses[DispatchStatus.CHANGE] >= 1
    assert DispatchStatus.CANCELLATION in first.values(), "one is cancelled before it has come"
    discharged = {one.conversation_id for one in envelopes if one.type == "LOG_UTSKREVET"}
    reported = {one.conversation_id for one in envelopes if one.type == "UTSKRIVNINGSRAPPORT"}
    assert len(discharged - reported) == 2
    assert len({posting.client for posting in postings}) == len(region.clients())


def test_days_are_busy_and_nights_are_quiet(postings: list[Posting]) -> None:
    hours = Counter(posting.at.astimezone(OSLO).hour for posting in postings)
    assert sum(hours[hour] for hour in (8, 9, 10)) > 5 * sum(hours[hour] for hour in (2, 3, 4))


def test_every_patient_has_a_synthetic_number_whose_digits_fit(postings: list[Posting]) -> None:
    draw = Random(3)  # noqa: S311 - no secret
    numbers = {region.patient(draw, city="Granli", on=NOW.date())["id"] for _ in range(200)}
    numbers |= {
        number.decode() for one in postings for number in re.findall(rb"(?<![\w-])\d{11}(?![\w-])", one.content())
    }
    assert len(numbers) > 250
    assert [number for number in numbers if not is_valid("FNR", number) or int(number[2:4]) <= 80] == []


def test_the_regions_parties_stand_on_two_levels_and_beside_those_of_the_stay() -> None:
    parties = {party.her_id: party for party in region.parties()}
    assert parties.keys().isdisjoint(party.her_id for party in fixtures.parties())
    assert sorted(parties) == sorted(her_id for client in region.clients() for her_id in client.her_ids)
    for party in parties.values():
        assert 8_100_000 <= party.her_id <= 8_129_999
        assert (party.parent_her_id is None) == (party.kind == "organisation")
        assert party.parent_her_id is None or parties[party.parent_her_id].kind == "organisation"


def test_organisation_numbers_are_no_real_ones_and_their_check_digits_fit() -> None:
    numbers = [party.org_number for party in (*fixtures.parties(), *region.parties()) if party.org_number]
    assert len(set(numbers)) == len(numbers)
    for number in numbers:
        assert number.startswith("1"), "real ones begin with 8 or 9"
        assert (
            sum(int(digit) * weight for digit, weight in zip(number, (3, 2, 7, 6, 5, 4, 3, 2, 1), strict=True)) % 11
            == 0
        )
