"""Signatures on documents: which are taken, which are refused with which code, and that only what is signed is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from authorities import Authority, Issued, rsa_key
from edits import ADMITTED, RECEIPT, edited, with_attachment
from lxml import etree
from signxml.algorithms import DigestAlgorithm

from messaging.documents import Catalogue, Validator
from messaging.documents.sign import Signer
from messaging.documents.signatures import SignatureCheck
from messaging.documents.trust import Trust
from messaging.errors import ConfigurationError
from messaging.model.faults import Fault
from messaging.model.signatures import SignatureLine, SignaturePolicies, SignaturePolicy
from world import SHARED

NOW = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
HOSPITAL, OTHER = "100000008", "100000016"
IGNORE, VERIFY, REQUIRE = SignaturePolicy
XSW = SHARED / "security" / "attacks" / "xsw"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def sender(authority: Authority) -> Issued:
    return authority.issue(HOSPITAL)


@pytest.fixture(scope="module")
def trust(authority: Authority) -> Trust:
    return Trust.of(authority.pem)


@pytest.fixture(scope="module")
def genuine(sender: Issued) -> bytes:
    return sender.sign(ADMITTED)


def fault_of(
    trust: Trust,
    content: bytes,
    policy: SignaturePolicy = REQUIRE,
    *,
    org_number: str = HOSPITAL,
    now: datetime = NOW,
    largest: int = 10_000_000,
) -> Fault | None:
    return SignatureCheck(trust, largest).fault_of(content, policy, org_number=org_number, now=now)


def code_of(trust: Trust, content: bytes, policy: SignaturePolicy = REQUIRE, **given: str) -> str:
    fault = fault_of(trust, content, policy, **given)
    if fault is None:
        return ""
    assert fault.norwegian.endswith(".")
    assert fault.text.endswith(".")
    assert fault.source
    return fault.code.value


# What is taken


@pytest.mark.parametrize("c14n", [INCLUSIVE, "http://www.w3.org/2001/10/xml-exc-c14n#"])
@pytest.mark.parametrize("digest", [DigestAlgorithm.SHA256, DigestAlgorithm.SHA512])
def test_a_signed_message_is_taken(c14n: str, digest: DigestAlgorithm, sender: Issued, trust: Trust) -> None:
    assert code_of(trust, sender.sign(ADMITTED, c14n=c14n, digest=digest)) == ""


def test_rsa_and_the_newer_name_of_an_organisation_are_taken(authority: Authority, trust: Trust) -> None:
    assert code_of(trust, authority.issue(HOSPITAL, key=rsa_key(), newer=True).sign(ADMITTED)) == ""


def test_a_reference_to_the_roots_id_is_taken(sender: Issued, trust: Trust) -> None:
    content = edited(ADMITTED, ("<MsgHead ", '<MsgHead Id="m1" '))
    assert code_of(trust, sender.sign(content, reference="#m1")) == ""


def test_a_chain_over_an_intermediate_authority_is_taken(authority: Authority, trust: Trust) -> None:
    between = Authority("Mellomutsteder", parent=authority)
    signer = between.issue(HOSPITAL)
    assert code_of(trust, signer.sign(ADMITTED, chain=(between.certificate,))) == ""
    assert code_of(trust, signer.sign(ADMITTED)) == "S02"


def test_a_certificate_may_be_trusted_itself(sender: Issued, genuine: bytes, authority: Authority) -> None:
    assert code_of(Trust.of(sender.pem), genuine) == ""
    assert code_of(Trust.of(sender.pem), authority.issue(HOSPITAL).sign(ADMITTED)) == "S02"


def test_a_signed_message_is_a_valid_message(genuine: bytes, validator: Validator) -> None:
    assert validator.judge(genuine).faults == ()


# What is refused


def test_the_policy_decides_what_is_asked(genuine: bytes, trust: Trust) -> None:
    broken = genuine.replace(b"Drammen", b"Trondheim")
    assert [code_of(trust, ADMITTED, policy) for policy in (IGNORE, VERIFY, REQUIRE)] == ["", "", "S01"]
    assert [code_of(trust, broken, policy) for policy in (IGNORE, VERIFY, REQUIRE)] == ["", "S01", "S01"]
    assert [code_of(trust, genuine, policy) for policy in (IGNORE, VERIFY, REQUIRE)] == ["", "", ""]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (rb"Drammen", rb"Trondheim"),
        (rb"<MsgId>.", rb"<MsgId>0"),
        (rb"<ds:DigestValue>....", rb"<ds:DigestValue>AAAA"),
        (rb"<ds:SignatureValue>....", rb"<ds:SignatureValue>AAAA"),
        (rb"xmldsig-more#ecdsa-sha256", rb"xmldsig-more#hmac-sha256"),
        (rb"xmldsig-more#ecdsa-sha256", rb"xmldsig-more#ecdsa-sha1"),
        (rb"xmlenc#sha256", rb"xmldsig#sha1"),
        (rb"</MsgInfo>", rb"</MsgInfo> "),
        (rb'<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>', rb""),
        (rb"<ds:X509Certificate>....", rb"<ds:X509Certificate>AAAA"),
        (rb"<ds:KeyInfo>.*</ds:KeyInfo>", rb"<ds:KeyInfo/>"),
        (rb"<ds:KeyInfo>.*</ds:KeyInfo>", rb""),
        (rb"<ds:SignedInfo>.*</ds:SignedInfo>", rb""),
        (rb"(<ds:Reference .*</ds:Reference>)", rb"\1\1"),
        (rb"<ds:SignatureValue>", rb"<ds:SignatureValue><!-- c -->"),
        (rb"(?s)<ds:Signature .*</ds:Signature>", rb'<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>'),
    ],
)  # fmt: skip
def test_a14_what_is_changed_after_signing_is_refused(old: bytes, new: bytes, genuine: bytes, trust: Trust) -> None:
    changed, times = re.subn(old, new, genuine, count=1, flags=re.DOTALL)
    assert times == 1
    assert code_of(trust, changed, VERIFY) == "S01"


def other_root(signed: str) -> str:
    """Wrap a signed message in another one."""
    evil = ADMITTED.decode().partition("?>")[2]
    return evil.replace("</MsgHead>", f"<Document><RefDoc><Content>{signed}</Content></RefDoc></Document></MsgHead>")


def in_object(signed: str) -> str:
    """Put the signed message in the signature, and another message around it."""
    signature = re.search(r"<ds:Signature .*</ds:Signature>", signed, re.DOTALL)
    assert signature
    inner = signed.replace(signature[0], "")
    moved = signature[0].replace("</ds:Signature>", f"<ds:Object>{inner}</ds:Object></ds:Signature>")
    return ADMITTED.decode().partition("?>")[2].replace("</MsgHead>", f"{moved}</MsgHead>")


def sibling(signed: str) -> str:
    """Let the signed message stand beside the signature, in another message that has the same Id."""
    signature = re.search(r"<ds:Signature .*</ds:Signature>", signed, re.DOTALL)
    assert signature
    inner = signed.replace(signature[0], "")
    evil = ADMITTED.decode().partition("?>")[2].replace("<MsgHead ", '<MsgHead Id="evil" ')
    return evil.replace("</MsgHead>", f"<Extensions>{inner}</Extensions>{signature[0]}</MsgHead>")


def same_id(signed: str) -> str:
    return signed.replace("<MsgInfo>", '<MsgInfo Id="m1">')


def first(signed: str) -> str:
    signature = re.search(r"<ds:Signature .*</ds:Signature>", signed, re.DOTALL)
    assert signature
    return signed.replace(signature[0], "").replace("<MsgInfo>", f"{signature[0]}<MsgInfo>")


def twice(signed: str) -> str:
    signature = re.search(r"<ds:Signature .*</ds:Signature>", signed, re.DOTALL)
    assert signature
    return signed.replace(signature[0], signature[0] * 2)


@pytest.mark.parametrize("wrap", [other_root, in_object, sibling, same_id, first, twice])
def test_a14_a_signature_over_something_else_than_the_document_is_refused(
    wrap: Callable[[str], str], sender: Issued, trust: Trust
) -> None:
    content = edited(ADMITTED, ("<MsgHead ", '<MsgHead Id="m1" '))
    signed = sender.sign(content, reference="#m1").decode().partition("?>")[2]
    assert code_of(trust, signed.encode()) == ""
    assert code_of(trust, wrap(signed).encode(), VERIFY) == "S01"


def test_a14_a_transform_that_leaves_something_out_is_refused(genuine: bytes, trust: Trust) -> None:
    for algorithm in ("http://www.w3.org/TR/1999/REC-xslt-19991116", "http://www.w3.org/TR/1999/REC-xpath-19991116"):
        transform = b'<ds:Transform Algorithm="%s"/><ds:Transform ' % algorithm.encode()
        assert code_of(trust, genuine.replace(b"<ds:Transform ", transform, 1)) == "S01"
        assert code_of(trust, genuine.replace(b"http://www.w3.org/2001/10/xml-exc-c14n#", algorithm.encode())) == "S01"


def test_a15_a_comment_inside_an_identifier_changes_neither_the_signature_nor_the_reading(
    genuine: bytes, trust: Trust, validator: Validator
) -> None:
    hidden = edited(genuine, ("<Id>8110001</Id>", "<Id>81100<!-- -->01</Id>"))
    assert code_of(trust, hidden) == ""
    read, plain = validator.judge(hidden), validator.judge(genuine)
    assert read.envelope == plain.envelope
    canonical = etree.tostring(etree.fromstring(hidden), method="c14n", exclusive=True, with_comments=False)
    assert b"<Id>8110001</Id>" in canonical


def test_the_certificate_must_be_the_senders_in_force_strong_and_meant_for_it(
    authority: Authority, trust: Trust
) -> None:
    past = datetime(2025, 1, 1, tzinfo=UTC)
    assert code_of(trust, authority.issue(OTHER).sign(ADMITTED)) == "S02"
    assert code_of(trust, authority.issue(HOSPITAL, end=past).sign(ADMITTED)) == "S02"
    assert code_of(trust, authority.issue(HOSPITAL, begin=datetime(2030, 1, 1, tzinfo=UTC)).sign(ADMITTED)) == "S02"
    assert code_of(trust, authority.issue(HOSPITAL, signs=False).sign(ADMITTED)) == "S02"
    assert code_of(trust, authority.issue(HOSPITAL, key=rsa_key(1024)).sign(ADMITTED)) == "S02"
    assert code_of(trust, Authority().issue(HOSPITAL).sign(ADMITTED)) == "S02"
    assert code_of(trust, authority.issue(HOSPITAL).sign(ADMITTED), org_number="") == "S02"
    anybody = replace(trust, match_organisation=False)
    assert code_of(anybody, authority.issue(OTHER).sign(ADMITTED)) == ""


def test_a_certificate_that_issues_itself_others_is_no_authority(authority: Authority, trust: Trust) -> None:
    honest = authority.issue(HOSPITAL)
    pretender = Authority(key=honest.key)
    pretender.certificate = honest.certificate
    assert code_of(trust, pretender.issue(HOSPITAL).sign(ADMITTED, chain=(honest.certificate,))) == "S02"


def test_a_revoked_certificate_is_s03(authority: Authority, sender: Issued, genuine: bytes) -> None:
    revoked = authority.revoke(sender.certificate)
    assert code_of(Trust.of(authority.pem, [revoked]), genuine) == "S03"
    assert code_of(Trust.of(authority.pem, [authority.revoke()]), genuine) == ""
    forged = Authority().revoke(sender.certificate)
    assert code_of(Trust.of(authority.pem, [forged]), genuine) == ""


def test_a_list_of_revoked_certificates_that_has_run_out_vouches_for_nobody(
    authority: Authority, genuine: bytes
) -> None:
    old = authority.revoke(until=datetime(2026, 3, 1, tzinfo=UTC))
    fault = fault_of(Trust.of(authority.pem, [old]), genuine)
    assert fault is not None
    assert fault.code == "S02"
    assert "run out" in fault.text


def test_a_signature_is_verified_over_a_bounded_size(sender: Issued, trust: Trust) -> None:
    content = sender.sign(with_attachment(ADMITTED, b"QUFB" * 50_000))
    assert fault_of(trust, content) is None
    fault = fault_of(trust, content, largest=200_000)
    assert fault is not None
    assert "200000" in fault.text


def test_no_fault_repeats_what_the_certificate_or_the_document_says(authority: Authority, trust: Trust) -> None:
    for content in (authority.issue("999888777").sign(ADMITTED), ADMITTED):
        fault = fault_of(trust, content)
        assert fault is not None
        assert "999888777" not in f"{fault.text}{fault.norwegian}"
        assert "Prøve" not in f"{fault.text}{fault.norwegian}"


# The collection of wrapping attacks


@pytest.mark.skipif(not XSW.exists(), reason=f"the collection of attacks is not at {XSW}")
@pytest.mark.parametrize("number", range(19))
def test_a14_every_collected_wrapping_attack_is_refused(number: int) -> None:
    (file,) = XSW.glob(f"xsw-{number}-*.xml")
    trust = Trust.of((XSW / "test-signer-cert.pem").read_bytes(), match_organisation=False)
    code = code_of(trust, file.read_bytes(), REQUIRE, org_number="")
    if file.stem in ("xsw-0-genuine", "xsw-17-comment-in-id"):
        assert code == ""  # what a comment hides is read as if it were not there
    else:
        assert code in ("S01", "S02")


# Signing


def test_an_apprec_that_is_signed_verifies_and_its_schema_judges_the_rest(
    sender: Issued, trust: Trust, catalogue: Catalogue, validator: Validator
) -> None:
    signed = Signer.of(sender.key_pem, sender.pem).signed(RECEIPT)
    assert code_of(trust, signed) == ""
    assert {fault.code.value for fault in validator.judge(signed).faults} == {"T02"}
    signed_too = Validator(catalogue, signed_receipts=True)
    assert signed_too.judge(signed).faults == ()
    assert signed_too.judge(signed).envelope == validator.judge(RECEIPT).envelope
    assert not signed_too.judge(signed.replace(b"<MIGversion>", b"<Nothing>x</Nothing><MIGversion>")).accepted


def test_a_signature_by_rsa_is_the_same_every_time(authority: Authority) -> None:
    issued = authority.issue(HOSPITAL, key=rsa_key())
    signer = Signer.of(issued.key_pem, issued.pem)
    assert signer.signed(RECEIPT) == signer.signed(RECEIPT)


def test_a_key_and_a_certificate_that_do_not_belong_together_stop_the_start(authority: Authority) -> None:
    one, other = authority.issue(), authority.issue()
    with pytest.raises(ConfigurationError, match="not that of the key"):
        Signer.of(one.key_pem, other.pem)
    for key, certificate in ((b"no", one.pem), (one.key_pem, b"no")):
        with pytest.raises(ConfigurationError, match="no PEM"):
            Signer.of(key, certificate)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Trust.of(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Trust.of(one.pem, [b"no list"])


# Policy


@pytest.mark.parametrize(
    ("type_", "receivers", "policy"),
    [
        ("EPIKRISE", {1}, IGNORE),
        ("HENVISNING", {1}, VERIFY),
        ("HENVISNING", {1, 8110001}, REQUIRE),
        ("EPIKRISE", {8110001}, VERIFY),
        ("EPIKRISE", {8120001}, IGNORE),
    ],
)
def test_the_narrowest_line_counts(type_: str, receivers: set[int], policy: SignaturePolicy) -> None:
    policies = SignaturePolicies(
        (
            SignatureLine(VERIFY, type="HENVISNING"),
            SignatureLine(VERIFY, her_id=8110001),
            SignatureLine(REQUIRE, type="HENVISNING", her_id=8110001),
            SignatureLine(IGNORE, her_id=8120001),
        )
    )
    assert policies.policy(type_, receivers) is policy
    assert policies.look_at_any
    assert not SignaturePolicies().look_at_any
