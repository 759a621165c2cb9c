"""Signatures at work: what is signed wrongly is refused and its sender told why, and AppRecs of ours are signed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from authorities import Authority, Issued

import fixtures
from messaging.documents.signatures import SignatureCheck
from messaging.documents.trust import Trust
from messaging.errors import ConfigurationError, Refused
from messaging.flow import acknowledge, collect, receive
from messaging.flow.acknowledge import Answer
from messaging.flow.exchange import Exchange
from messaging.flow.handed import Handed
from messaging.flow.work import submit_to
from messaging.model.faults import Fault
from messaging.model.receipt import ReceiptStatus
from messaging.model.signatures import SignaturePolicy
from messaging.settings import Settings
from messaging.signature_settings import ReceiptSigningSetting, SignatureLineSetting, SignatureSettings
from messaging.spi import Rejected, Submission
from world import SetClock, World, world

WARD, NURSING = 8100001, 8110001
HOSPITAL, MUNICIPALITY = "100000008", "100000016"
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
REQUIRE = SignatureLineSetting(policy=SignaturePolicy.REQUIRE, her_id=NURSING)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def hospital(authority: Authority) -> Issued:
    return authority.issue(HOSPITAL)


@pytest.fixture
def signing(settings: Settings, authority: Authority, tmp_path: Path) -> Settings:
    """Settings that ask for signatures on what goes to one receiver, and sign the AppRecs written here."""
    issued = authority.issue(MUNICIPALITY)
    written = {"ca.pem": authority.pem, "crl.pem": authority.revoke(), "key.pem": issued.key_pem, "own.pem": issued.pem}
    for name, content in written.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    return settings.model_copy(
        update={
            "signatures": SignatureSettings(
                lines=(REQUIRE,),
                trusted_files=(tmp_path / "ca.pem",),
                revoked_files=(tmp_path / "crl.pem",),
                receipts=ReceiptSigningSetting(key_file=tmp_path / "key.pem", certificate_file=tmp_path / "own.pem"),
            )
        }
    )


async def codes_of(exchange: Exchange, running: World, content: bytes) -> list[str]:
    with pytest.raises(Refused) as refused:
        await receive.receive(exchange, running.clients["sykehus"], Handed(content, "test"))
    return [fault.code.value for fault in refused.value.faults if isinstance(fault, Fault)]


async def test_a14_what_a_policy_asks_for_is_held_and_told_with_its_code(
    signing: Settings, clock: SetClock, authority: Authority, hospital: Issued, tmp_path: Path
) -> None:
    signed = hospital.sign(ADMITTED)
    async with world(signing, clock) as running:
        exchange = running.exchange
        assert await codes_of(exchange, running, ADMITTED) == ["S01"]
        assert await codes_of(exchange, running, signed.replace(b"Drammen", b"Trondheim")) == ["S01"]
        assert await codes_of(exchange, running, authority.issue(MUNICIPALITY).sign(ADMITTED)) == ["S02"]
        (tmp_path / "crl.pem").write_bytes(authority.revoke(hospital.certificate))
        assert await codes_of(exchange, running, signed) == ["S03"]
        (tmp_path / "crl.pem").write_bytes(b"half written")
        assert await codes_of(exchange, running, signed) == ["S03"]
        (tmp_path / "crl.pem").write_bytes(authority.revoke())
        taken = await receive.receive(exchange, running.clients["sykehus"], Handed(signed, "test"))
        assert not taken.replayed


async def test_the_code_of_a_wrong_signature_stands_in_the_apprec_which_is_signed_itself(
    signing: Settings, clock: SetClock, authority: Authority
) -> None:
    async with world(signing, clock) as running:
        exchange = replace(running.exchange, speaks_for={"far": frozenset({WARD})})
        verdict = await submit_to(exchange, "far")(Submission(ADMITTED, "far"))
        assert isinstance(verdict, Rejected)
        (receipt,) = verdict.receipts
        envelope = exchange.validator.judge(receipt.content).envelope
        assert envelope is not None
        assert envelope.receipt is not None
        assert [(error.code, error.text) for error in envelope.receipt.errors] == [("S01", "Feil på signatur")]
        assert "signert" in envelope.receipt.errors[0].details
        check = SignatureCheck(Trust.of(authority.pem), 1_000_000)
        given = {"org_number": MUNICIPALITY, "now": clock()}
        assert check.fault_of(receipt.content, SignaturePolicy.REQUIRE, **given) is None


async def test_an_apprec_that_is_asked_for_in_json_is_signed_and_taken_in(
    signing: Settings, clock: SetClock, authority: Authority, hospital: Issued
) -> None:
    async with world(signing, clock) as running:
        exchange, municipality = running.exchange, running.clients["kommune"]
        taken = await receive.receive(exchange, running.clients["sykehus"], Handed(hospital.sign(ADMITTED), "test"))
        answer = Answer(her_id=NURSING, status=ReceiptStatus.OK)
        answered = await acknowledge.acknowledge(exchange, municipality, taken.message_id, answer, door="test")
        content = await collect.document(exchange, running.clients["sykehus"], answered.message_id, door="test")
        check = SignatureCheck(Trust.of(authority.pem), 1_000_000)
        assert check.fault_of(content, SignaturePolicy.REQUIRE, org_number=MUNICIPALITY, now=clock()) is None


def test_signatures_that_cannot_be_verified_or_made_stop_the_start(tmp_path: Path, authority: Authority) -> None:
    issued = authority.issue()
    (tmp_path / "key.pem").write_bytes(issued.key_pem)
    (tmp_path / "key.pem").chmod(0o644)
    (tmp_path / "own.pem").write_bytes(issued.pem)
    receipts = ReceiptSigningSetting(key_file=tmp_path / "key.pem", certificate_file=tmp_path / "own.pem")
    for wrong, words in (
        (SignatureSettings(lines=(REQUIRE,)), "trusted_files"),
        (SignatureSettings(lines=(REQUIRE,), trusted_files=(tmp_path / "none.pem",)), "cannot be used"),
        (SignatureSettings(lines=(REQUIRE,), trusted_files=(tmp_path / "key.pem",)), "cannot be used"),
        (SignatureSettings(receipts=receipts), "read by others"),
        (SignatureSettings(receipts=receipts.model_copy(update={"key_file": tmp_path / "none"})), "cannot be read"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            wrong.signatures()
    (tmp_path / "key.pem").chmod(0o600)
    assert SignatureSettings(receipts=receipts).signatures().signing is not None


def test_apprecs_may_be_signed_for_some_only(tmp_path: Path, authority: Authority) -> None:
    issued = authority.issue()
    (tmp_path / "key.pem").write_bytes(issued.key_pem)
    (tmp_path / "key.pem").chmod(0o600)
    (tmp_path / "own.pem").write_bytes(issued.pem)
    receipts = ReceiptSigningSetting(
        key_file=tmp_path / "key.pem", certificate_file=tmp_path / "own.pem", her_ids=frozenset({WARD})
    )
    signatures = SignatureSettings(receipts=receipts).signatures()
    content = fixtures.read("valid/apprec/1.1/apprec_ok.xml")
    assert b"SignatureValue" in signatures.receipt(content, WARD)
    assert signatures.receipt(content, NURSING) == content
