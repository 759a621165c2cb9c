"""The judgement as a whole: the same from every thread, on schemas alone when asked, and within its bounds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from edits import ADMITTED, REFERRAL, edited, with_attachment

import fixtures
from messaging.documents import Catalogue, Validator, Verdict
from messaging.model.faults import MOST_FAULTS, FaultCode
from world import SHARED

EXAMPLES = SHARED / "standards" / "examples"
SERVED = ("AppRec", "Dialogmelding/Dialogmelding-v1-1", "Henvisning/Henvisning_v2-0", "plo/1_6")


def examples() -> list[str]:
    found = (path for folder in SERVED for path in (EXAMPLES / folder).rglob("*.xml"))
    return sorted(str(path.relative_to(EXAMPLES)) for path in found)


def test_a_verdict_without_faults_is_acceptance(validator: Validator) -> None:
    assert Verdict(()).accepted
    assert validator.judge(ADMITTED).accepted
    assert not validator.judge(b"").accepted


def test_threads_do_not_hear_of_each_others_faults(catalogue: Catalogue) -> None:
    validator = Validator(catalogue)
    spoilt = [
        edited(REFERRAL, ("<IssueDate>", "<IssueDate>x")),
        edited(ADMITTED, ("<GenDate>", "<GenDate>x")),
        edited(ADMITTED, ("<Anslag>", "<Anslag>x"), ("<City>", "<City V='1'>")),
        edited(ADMITTED, ("<Patient>", "<Patient>x" + "<Ident/>" * 500)),
    ]
    large = [with_attachment(content, b"AAAA" * 100_000) for content in (ADMITTED, spoilt[1])]
    documents = [*(fixtures.read(name) for name in fixtures.valid()), *spoilt, *large]
    alone = [validator.judge(content) for content in documents]
    together = Barrier(8)

    def judge_all(start: int) -> list[Verdict]:
        together.wait()
        order = [*range(start, len(documents)), *range(start)] * 5
        verdicts = {at: validator.judge(documents[at]) for at in order}
        return [verdicts[at] for at in range(len(documents))]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(judge_all, range(0, 40, 5)))
    assert answers == [alone] * 8


def test_schemas_are_compiled_for_as_many_as_judge_at_once(catalogue: Catalogue) -> None:
    validator = Validator(catalogue)
    with validator._schema() as first:
        with validator._schema() as second:
            assert second is not first
        with validator._schema() as third:
            assert third is second


@pytest.mark.parametrize(
    "content",
    [
        b'<Base64Container xmlns="http://www.kith.no/xmlstds/base64container">AAAA</Base64Container>',
        edited(ADMITTED, ('Type V="LOG_INNLAGT"', 'Type V="X"')),
        ADMITTED.decode().replace("UTF-8", "ISO-8859-1").encode("latin-1"),
    ],
)
def test_the_schemas_alone_take_any_element_they_know(content: bytes, validator: Validator) -> None:
    assert validator.judge(content, schema_only=True).accepted


@pytest.mark.parametrize("content", [b"<a/>", b"<a>", ADMITTED.replace(b"LOG_INNLAGT", b"\xe6"), b"<!DOCTYPE a><a/>"])
def test_the_schemas_alone_refuse_what_they_do_not_know(content: bytes, validator: Validator) -> None:
    assert not validator.judge(content, schema_only=True).accepted


def test_an_unknown_payload_is_a_schema_fault_when_schemas_alone_judge(validator: Validator) -> None:
    content = edited(ADMITTED, ("po/Pasientlogistikk/2012-04-01", "po/Pasientlogistikk/2099-01-01"))
    assert {fault.code for fault in validator.judge(content, schema_only=True).faults} == {FaultCode.T02}


def test_a_flood_of_errors_is_counted_and_not_told(validator: Validator) -> None:
    flood = "<Ident><Id>1</Id><TypeId S='x'/></Ident>" * 4_000
    verdict = validator.judge(edited(ADMITTED, ("</Ident>\n      <Address>", f"</Ident>{flood}<Address>")))
    assert len(verdict.faults) == MOST_FAULTS
    assert verdict.faults[-1].text == f"There are {4_000 - MOST_FAULTS + 1} more faults."


@pytest.mark.skipif(not EXAMPLES.exists(), reason=f"the official examples are not at {EXAMPLES}")
@pytest.mark.parametrize("name", examples())
def test_the_official_examples_get_the_verdict_that_they_deserve(name: str, validator: Validator) -> None:
    verdict = validator.judge((EXAMPLES / name).read_bytes())
    codes = {fault.code.value for fault in verdict.faults}
    if "migversion" in name:
        assert "T02" in codes, "hardly anything stands in it"
    elif "unknown-status" in name:
        assert codes == {"T02"}
    elif "eksempel" in name or "feil-i-delmelding" in name:
        assert codes == {"E21"}, "from before HER-ids: nobody knows where to send it"
    else:
        assert codes == set()
        assert verdict.envelope is not None
        assert verdict.envelope.receivers
