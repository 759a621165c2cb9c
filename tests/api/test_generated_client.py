"""A client generated from Norsk Helsenett's own OpenAPI file drives version 2 without a change."""

from __future__ import annotations

import base64
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import fixtures
from doors import Api
from world import SHARED

CONTRACT = SHARED / "protocols/samples/nhn-edi20/nhn-msh-api-v2.openapi.json"
GENERATOR = Path(sys.executable).with_name("openapi-python-client")
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
WARD, NURSING = 8100001, 8110001
EDI = {"api_version": "2", "nhn_source_system": "Generated, 1.0"}

Module = Callable[[str], Any]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Module]:
    """The generated package, imported piece by piece."""
    if not CONTRACT.exists():
        pytest.skip("Norsk Helsenett's OpenAPI file is not beside the checkout (SAMHANDLING_SHARED)")
    folder = tmp_path_factory.mktemp("generated")
    (folder / "config.yml").write_text("post_hooks: []\n")
    command: list[str | Path] = [
        GENERATOR,
        "generate",
        "--path",
        CONTRACT,
        "--meta",
        "none",
        "--config",
        folder / "config.yml",
    ]
    subprocess.run([*command, "--output-path", folder / "nhn_v2"], check=True, capture_output=True)  # noqa: S603
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield lambda name: importlib.import_module(f"nhn_v2.{name}")


async def test_it_posts_lists_fetches_acknowledges_reads_and_asks_for_the_status(
    served: Api, generated: Module
) -> None:
    def client(name: str) -> Any:
        return generated("client").AuthenticatedClient(base_url=served.url, token=served.world.keys[name])

    def call(operation: str) -> Any:
        return generated(f"api.messages_controller.{operation}").asyncio_detailed

    models = generated("models")
    async with client("sykehus") as hospital, client("kommune") as municipality:
        document = base64.b64encode(ADMITTED).decode()
        body = models.PostMessageRequest(document, "application/xml", "base64")
        posted = await call("post_message")(client=hospital, body=body, **EDI)
        assert (posted.status_code, type(posted.parsed)) == (201, UUID), posted.content
        message_id = posted.parsed

        unread = await call("get_messages")(client=municipality, receiver_her_ids=[NURSING], **EDI)
        assert [(one.id, one.receiver_her_id) for one in unread.parsed] == [(message_id, NURSING)]
        full = await call("get_messages")(
            client=municipality,
            receiver_her_ids=[NURSING],
            include_metadata=True,
            order_by=models.OrderBy.DESCENDING,
            **EDI,
        )
        (row,) = full.parsed
        assert (row.sender_her_id, row.is_app_rec) == (WARD, False)
        one = await call("get_message")(id=message_id, client=municipality, **EDI)
        assert one.parsed == row
        fetched = await call("get_business_document")(id=message_id, client=municipality, **EDI)
        assert base64.b64decode(fetched.parsed.business_document) == ADMITTED

        error = models.AppRecError(error_code="E36", details="Mangler personnummer")
        refusal = models.PostAppRecRequest(models.AppRecStatus.REJECTED, app_rec_error_list=[error])
        answered = await call("post_app_rec")(
            id=message_id, app_rec_sender_her_id=NURSING, client=municipality, body=refusal, **EDI
        )
        assert (answered.status_code, type(answered.parsed)) == (201, UUID), answered.content
        read = await call("mark_message_as_read")(id=message_id, her_id=NURSING, client=municipality, **EDI)
        assert read.status_code == 204
        left = await call("get_messages")(client=municipality, receiver_her_ids=[NURSING], **EDI)
        assert left.parsed == []

        (status,) = (await call("get_status")(id=message_id, client=hospital, **EDI)).parsed
        assert status.transport_delivery_state == models.DeliveryState.ACKNOWLEDGED
        assert status.app_rec_status == models.AppRecStatus.REJECTED
        (told,) = (await call("get_apprec_info")(id=message_id, client=hospital, **EDI)).parsed
        assert [one.error_code for one in told.app_rec_error_list] == ["E36"]
        (receipt,) = (
            await call("get_messages")(client=hospital, receiver_her_ids=[WARD], include_metadata=True, **EDI)
        ).parsed
        assert (receipt.id, receipt.is_app_rec) == (answered.parsed, True)

        nothing = await call("get_message")(id=UUID(int=0), client=hospital, **EDI)
        assert (nothing.status_code, type(nothing.parsed)) == (404, models.ErrorMessage)
        assert nothing.parsed.request_id
