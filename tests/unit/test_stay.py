"""A stay: what is expected after which message, and who owes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from messaging.model.stay import Missing, Step, missing

WARD, NURSING = 8100001, 8110001
START = datetime(2026, 3, 9, 8, tzinfo=UTC)
DAY = timedelta(days=1)


def step(kind: str, hours: float, *, cancelled: bool = False) -> Step:
    """A message of the stay, from the hospital unless only the municipality writes its kind."""
    ours = kind not in ("INNLEGGELSESRAPPORT", "DIALOG_HELSEFAGLIG")
    sender, receiver = (WARD, NURSING) if ours else (NURSING, WARD)
    return Step(kind, START + timedelta(hours=hours), sender, (receiver,), cancelled)


def wanted(*steps: Step) -> list[str]:
    return [one.wanted[0] for one in missing(steps)]


def test_an_admission_asks_the_municipality_for_its_report_within_a_day_and_the_hospital_for_the_discharge() -> None:
    found = missing([step("LOG_INNLAGT", 0)])
    assert found == [
        Missing(("INNLEGGELSESRAPPORT",), (NURSING,), START + DAY),
        Missing(("LOG_UTSKREVET",), (WARD,), None),
    ]


def test_a_step_that_has_come_is_not_missing() -> None:
    assert wanted(step("LOG_INNLAGT", 0), step("INNLEGGELSESRAPPORT", 3)) == ["LOG_UTSKREVET"]


def test_a_patient_who_is_ready_waits_for_the_municipalitys_answer() -> None:
    steps = [step("LOG_INNLAGT", 0), step("INNLEGGELSESRAPPORT", 3), step("LOG_UTSKRIVNINGSKLAR", 50)]
    assert wanted(*steps) == ["DIALOG_HELSEFAGLIG", "LOG_UTSKREVET"]
    assert wanted(*steps, step("DIALOG_HELSEFAGLIG", 51)) == ["LOG_UTSKREVET"]


def test_no_answer_is_asked_for_when_the_patient_is_not_ready_after_all() -> None:
    steps = [step("LOG_UTSKRIVNINGSKLAR", 50), step("LOG_AVMELDING", 52)]
    assert wanted(*steps) == []


def test_a_second_readiness_asks_for_an_answer_again() -> None:
    steps = [step("LOG_UTSKRIVNINGSKLAR", 50), step("DIALOG_HELSEFAGLIG", 51), step("LOG_AVMELDING", 52)]
    assert wanted(*steps, step("LOG_UTSKRIVNINGSKLAR", 90)) == ["DIALOG_HELSEFAGLIG"]


def test_the_report_may_be_written_before_the_patient_leaves() -> None:
    assert wanted(step("UTSKRIVNINGSRAPPORT", 60), step("LOG_UTSKREVET", 61)) == []
    assert wanted(step("LOG_UTSKREVET", 61)) == ["UTSKRIVNINGSRAPPORT"]


def test_a_cancelled_message_asks_for_nothing_and_answers_nothing() -> None:
    assert wanted(step("LOG_INNLAGT", 0, cancelled=True)) == []
    assert wanted(step("LOG_INNLAGT", 0), step("INNLEGGELSESRAPPORT", 3, cancelled=True)) == [
        "INNLEGGELSESRAPPORT",
        "LOG_UTSKREVET",
    ]


def test_an_empty_stay_misses_nothing() -> None:
    assert missing([]) == []
