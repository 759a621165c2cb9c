from __future__ import annotations

import asyncio
import base64
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from far_sides import CANARY, DOCUMENT, HERE, SECRET, parcel
from http_receiver import Receiver, answer, receiving
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from adapters.http_post import ANSWER_LIMIT, KIND, LONGEST_RETRY_AFTER, HttpPost, Settings
from messaging.spi import Deferred, Outcome, Refused, Sent

APPREC = b'<?xml version="1.0"?><AppRec xmlns="http://www.kith.no/xmlstds/apprec/2012-02-15"/>'
OPENSSL = shutil.which("openssl")
UTF8_DOCUMENT = "<Melding>Blåbærsyltetøy</Melding>".encode()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def adapter(receiver: Receiver) -> AsyncIterator[HttpPost]:
    async with KIND.open("push", Settings(url=receiver.url, secret=SECRET), HERE) as adapter:
        yield adapter


async def outcome_of(receiver: Receiver, adapter: HttpPost, reply: bytes | None, **changes: Any) -> Outcome:
    receiver.answers.append(reply)
    return await adapter.deliver(parcel(**changes))


class TestRequest:
    async def test_the_signature_verifies_with_the_library_of_the_convention(
        self, receiver: Receiver, adapter: HttpPost
    ) -> None:
        await adapter.deliver(parcel(content=UTF8_DOCUMENT))
        (request,) = receiver.requests
        Webhook(SECRET).verify(request.body, request.headers, json_parse=False)
        with pytest.raises(WebhookVerificationError, match="No matching signature"):
            Webhook(SECRET).verify(request.body + b" ", request.headers, json_parse=False)

    async def test_a_document_that_is_no_utf8_is_signed_as_the_bytes_it_is(
        self, receiver: Receiver, adapter: HttpPost
    ) -> None:
        await adapter.deliver(parcel(content=b"\xe5"))
        (request,) = receiver.requests
        library = Webhook(base64.b64decode(SECRET.removeprefix("whsec_")))
        timestamp = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
        as_text = library.sign(request.headers["webhook-id"], timestamp, "\xe5")
        assert request.body == b"\xe5"
        assert request.headers["webhook-signature"] != as_text  # that one would sign two bytes

    async def test_the_webhook_id_is_the_deliverys_in_every_attempt(
        self, receiver: Receiver, adapter: HttpPost
    ) -> None:
        await adapter.deliver(parcel(7, attempt=1))
        await adapter.deliver(parcel(7, attempt=2))
        first, second = receiver.requests
        assert first.headers["webhook-id"] == second.headers["webhook-id"] == parcel(7).delivery_id
        assert (first.headers["samhandling-attempt"], second.headers["samhandling-attempt"]) == ("1", "2")

    async def test_the_headers_tell_what_the_parcel_is(self, receiver: Receiver, adapter: HttpPost) -> None:
        await adapter.deliver(parcel(is_apprec=True, type="APPREC"))
        (request,) = receiver.requests
        told = {name: value for name, value in request.headers.items() if name.startswith("samhandling-")}
        assert told == {
            "samhandling-message-id": parcel().message_id,
            "samhandling-msgid": "msg-1",
            "samhandling-sender": "8000001",
            "samhandling-receiver": "8000002",
            "samhandling-type": "APPREC",
            "samhandling-apprec": "true",
            "samhandling-attempt": "1",
        }
        assert request.headers["content-type"] == "application/xml"
        assert request.target == "/inbox/8000002"

    async def test_a_msg_id_can_forge_no_header(self, receiver: Receiver, adapter: HttpPost) -> None:
        outcome = await adapter.deliver(parcel(msg_id="a\r\nHost: evil\r\n\r\nø%"))
        assert isinstance(outcome, Sent)
        (request,) = receiver.requests
        assert request.headers["samhandling-msgid"] == "a%0D%0AHost:%20evil%0D%0A%0D%0A%C3%B8%25"
        assert request.headers["host"].startswith("127.0.0.1")

    async def test_the_operators_headers_go_along(self, receiver: Receiver) -> None:
        settings = Settings(url=receiver.url, secret=SECRET, headers={"Authorization": "Bearer hush"})
        async with KIND.open("push", settings, HERE) as adapter:
            await adapter.deliver(parcel())
        assert receiver.requests[0].headers["authorization"] == "Bearer hush"
        assert "hush" not in repr(settings)

    async def test_each_parcel_has_a_connection_of_its_own(self, receiver: Receiver, adapter: HttpPost) -> None:
        for number in range(5):
            await adapter.deliver(parcel(number))
        assert (receiver.connections, len(receiver.requests)) == (5, 5)

    async def test_the_environments_proxy_is_not_consulted(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        async with KIND.open("push", Settings(url=receiver.url, secret=SECRET), HERE) as adapter:
            assert isinstance(await adapter.deliver(parcel()), Sent)


SENT = (200, 201, 202, 204)
DEFERRED = (301, 302, 307, 308, 401, 403, 404, 407, 408, 409, 423, 425, 429, 500, 502, 503, 504, 599)
REFUSED = (400, 405, 406, 410, 411, 413, 414, 415, 422, 451, 499)


class TestStatus:
    @pytest.mark.parametrize(
        ("status", "expected"),
        [(one, kind) for kind, many in ((Sent, SENT), (Deferred, DEFERRED), (Refused, REFUSED)) for one in many],
    )
    async def test_the_status_decides(
        self, receiver: Receiver, adapter: HttpPost, status: int, expected: type[Outcome]
    ) -> None:
        outcome = await outcome_of(receiver, adapter, answer(status, b"" if status == 204 else DOCUMENT))
        assert type(outcome) is expected
        assert str(status) in repr(outcome)
        assert CANARY not in repr(outcome)

    async def test_a_redirect_is_not_followed(self, receiver: Receiver, adapter: HttpPost) -> None:
        elsewhere = receiver.url.replace("{receiver}", "elsewhere")
        outcome = await outcome_of(receiver, adapter, answer(307, Location=elsewhere))
        assert outcome == Deferred("HTTP 307 Temporary Redirect: check the url and the credentials of this instance")
        assert [request.target for request in receiver.requests] == ["/inbox/8000002"]

    async def test_the_far_sides_own_phrase_is_not_repeated(self, receiver: Receiver, adapter: HttpPost) -> None:
        outcome = await outcome_of(receiver, adapter, b"HTTP/1.1 400 Ola Nordmann\r\nContent-Length: 0\r\n\r\n")
        assert outcome == Refused("HTTP 400 Bad Request")

    @pytest.mark.parametrize("status", [429, 503])
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0.0),
            ("120", 120.0),
            ("999999999", LONGEST_RETRY_AFTER),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
            ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ],
    )
    async def test_retry_after_is_honoured_where_it_makes_sense(
        self, receiver: Receiver, adapter: HttpPost, status: int, value: str, seconds: float | None
    ) -> None:
        outcome = await outcome_of(receiver, adapter, answer(status, Retry_After=value))
        assert isinstance(outcome, Deferred)
        assert outcome.retry_after == seconds

    async def test_retry_after_may_be_a_date(self, receiver: Receiver, adapter: HttpPost) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
        outcome = await outcome_of(receiver, adapter, answer(503, Retry_After=date))
        assert isinstance(outcome, Deferred)
        assert outcome.retry_after == pytest.approx(3600, abs=5)


class TestReceipt:
    @pytest.mark.parametrize("media_type", ["application/xml", "text/xml; charset=utf-8", "Application/AppRec+XML"])
    async def test_an_xml_answer_is_the_receipt_byte_for_byte(
        self, receiver: Receiver, adapter: HttpPost, media_type: str
    ) -> None:
        outcome = await outcome_of(receiver, adapter, answer(200, APPREC, Content_Type=media_type))
        assert outcome == Sent("HTTP 200", receipt=APPREC)

    @pytest.mark.parametrize(
        "reply",
        [
            answer(200, b'{"ok": true}', Content_Type="application/json"),
            answer(200, b" \n", Content_Type="application/xml"),
            answer(200, APPREC),
        ],
    )
    async def test_any_other_answer_is_none(self, receiver: Receiver, adapter: HttpPost, reply: bytes) -> None:
        assert await outcome_of(receiver, adapter, reply) == Sent("HTTP 200")

    async def test_the_answer_to_an_apprec_is_no_receipt(self, receiver: Receiver, adapter: HttpPost) -> None:
        reply = answer(200, APPREC, Content_Type="application/xml")
        assert await outcome_of(receiver, adapter, reply, is_apprec=True) == Sent("HTTP 200")

    async def test_a26_a_huge_answer_is_not_read_to_its_end(self, receiver: Receiver, adapter: HttpPost) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 99999999999\r\n\r\n"
        outcome = await outcome_of(receiver, adapter, head + b"x" * (ANSWER_LIMIT + 100_000))
        assert isinstance(outcome, Sent)
        assert outcome.receipt is None
        assert str(ANSWER_LIMIT) in outcome.detail

    async def test_a26_an_unasked_compression_is_not_unpacked(self, receiver: Receiver, adapter: HttpPost) -> None:
        reply = answer(200, b"\x1f\x8b...", Content_Type="application/xml", Content_Encoding="gzip")
        outcome = await outcome_of(receiver, adapter, reply)
        assert isinstance(outcome, Sent)
        assert outcome.receipt is None
        assert receiver.requests[0].headers["accept-encoding"] == "identity"

    async def test_a_receipt_that_is_cut_off_is_asked_for_again(self, receiver: Receiver, adapter: HttpPost) -> None:
        reply = answer(200, APPREC, Content_Type="application/xml", Content_Length="5000", Connection="close")
        assert isinstance(await outcome_of(receiver, adapter, reply), Deferred)

    async def test_a_cut_off_answer_that_holds_no_receipt_changes_nothing(
        self, receiver: Receiver, adapter: HttpPost
    ) -> None:
        reply = answer(200, b"o", Content_Length="2", Connection="close")
        assert await outcome_of(receiver, adapter, reply) == Sent("HTTP 200")


def self_signed(certificate: Path, key: Path) -> None:
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command = [str(OPENSSL), "req", "-x509", "-days", "2", *ec, *names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - all of it is written above


class TestTrouble:
    async def test_silence_ends_at_the_timeout(self, receiver: Receiver) -> None:
        async with KIND.open("push", Settings(url=receiver.url, secret=SECRET, timeout_seconds=0.1), HERE) as adapter:
            outcome = await outcome_of(receiver, adapter, None)
            assert outcome == Deferred("no answer within 0.1 seconds")
            assert isinstance(await adapter.deliver(parcel()), Sent)

    async def test_a26_a_receipt_that_does_not_end_is_cut_at_the_timeout(self, receiver: Receiver) -> None:
        reply = answer(200, APPREC, Content_Type="application/xml", Content_Length="5000")
        async with KIND.open("push", Settings(url=receiver.url, secret=SECRET, timeout_seconds=0.2), HERE) as adapter:
            assert isinstance(await outcome_of(receiver, adapter, reply), Deferred)

    async def test_nobody_listening_is_deferred(self) -> None:
        probe = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
        port = probe.sockets[0].getsockname()[1]
        probe.close()
        await probe.wait_closed()
        async with KIND.open(
            "push", Settings(url=f"http://127.0.0.1:{port}/?key=hush", secret=SECRET), HERE
        ) as adapter:
            outcome = await adapter.deliver(parcel())
        assert outcome == Deferred("the connection failed (ConnectError)")

    @pytest.mark.parametrize("reply", [b"", b"SMTP ready\r\n\r\n", b"HTTP/1.1 two hundred\r\n\r\n", b"HTTP/1.1 20"])
    async def test_an_answer_that_is_no_http_is_deferred(
        self, receiver: Receiver, adapter: HttpPost, reply: bytes
    ) -> None:
        reply += b"Connection: close" if reply else b"\nConnection: close\r\n\r\n"
        assert isinstance(await outcome_of(receiver, adapter, reply), Deferred)

    @pytest.mark.skipif(OPENSSL is None, reason="no openssl on this machine to make a certificate with")
    async def test_a_certificate_that_nobody_vouches_for_is_told(self, tmp_path: Path) -> None:
        certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
        self_signed(certificate, key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        receiver = Receiver()
        server = await asyncio.start_server(receiver.serve, "localhost", 0, ssl=context)
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
        try:
            async with KIND.open("push", Settings(url=url, secret=SECRET), HERE) as adapter:
                outcome = await adapter.deliver(parcel())
            assert isinstance(outcome, Deferred)
            assert "certificate is not trusted: self" in outcome.reason
            assert receiver.requests == []
            async with KIND.open("push", Settings(url=url, secret=SECRET, ca_file=certificate), HERE) as adapter:
                assert isinstance(await adapter.deliver(parcel()), Sent)
        finally:
            server.close()


class TestSettings:
    @pytest.mark.parametrize(
        "url",
        [
            "file:///etc/passwd",
            "ftp://receiver.example/",
            "receiver.example/inbox",
            "https://user:hush@receiver.example/",
            "https://{receiver}.example/",
            "https://receiver.example:{receiver}/",
            "https://receiver.example/{sender}",
            "https://receiver.example/#fragment",
        ],
    )
    def test_a_url_that_cannot_be_used_is_refused_and_not_repeated(self, url: str) -> None:
        with pytest.raises(ValidationError) as refusal:
            Settings(url=url, secret=SECRET)
        assert url not in str(refusal.value)
        assert "hush" not in str(refusal.value)

    @pytest.mark.parametrize(
        "secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64 at all, whatever", "whsec_" + "QUFB" * 30]
    )
    def test_a_secret_that_is_none_is_refused_and_not_repeated(self, secret: str) -> None:
        with pytest.raises(ValidationError, match="24 to 64 random bytes") as refusal:
            Settings(url="https://receiver.example/", secret=secret)
        assert "c2hvcnQ" not in str(refusal.value)

    def test_exactly_one_secret_is_given(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text(SECRET)
        for given in ({}, {"secret": SECRET, "secret_file": file}):
            with pytest.raises(ValidationError, match="one of 'secret' and 'secret_file'"):
                Settings(url="https://receiver.example/", **given)

    async def test_the_secret_may_stand_in_a_file(self, receiver: Receiver, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text(f"{SECRET}\n")
        async with KIND.open("push", Settings(url=receiver.url, secret_file=file), HERE) as adapter:
            await adapter.deliver(parcel(content=UTF8_DOCUMENT))
        (request,) = receiver.requests
        Webhook(SECRET).verify(request.body, request.headers, json_parse=False)

    @pytest.mark.parametrize(
        "headers", [{"webhook-id": "x"}, {"Host": "x"}, {"Content-Type": "x"}, {"X Y": "x"}, {"X": "a\nb"}, {"X": ""}]
    )
    def test_a_header_that_is_not_the_operators_is_refused(self, headers: dict[str, str]) -> None:
        with pytest.raises(ValidationError, match="header's"):
            Settings(url="https://receiver.example/", secret=SECRET, headers=headers)
