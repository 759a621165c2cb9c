"""What the OpenAPI documents say is what the doors do: no status, no shape and no header that they do not tell."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

import fixtures
from doors import Api

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
NURSING = 8110001
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
LEFT_OUT = "positive_data_acceptance"
"""It takes for valid what only the document itself can make valid."""

REFUSED = """[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "414", "415", "429", "431", "5xx"]
"""
"""What may refuse a wrong request: more HER-ids than are read at once make a path that is too long (414)."""

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


async def explore(served: Api, document: str, client: str, folder: Path, *parameters: str) -> None:
    """Let schemathesis try everything that an OpenAPI document allows, and much that it does not."""
    folder.joinpath("schemathesis.toml").write_text("\n".join([REFUSED, "[parameters]", *parameters, ""]))
    command = [SCHEMATHESIS, "run", f"{served.url}/{document}", "--max-examples", "10", "--seed", "1", "--no-color"]
    command += ["--phases", "coverage,fuzzing" if parameters else "fuzzing", "--exclude-path-regex", "stream$"]
    command += ["--exclude-checks", LEFT_OUT, "--header", f"Authorization: Bearer {served.world.keys[client]}"]
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def a_message(served: Api) -> str:
    hospital = await served.of("sykehus")
    kept = await hospital.post("/documents", content=ADMITTED, headers={"Content-Type": "application/xml"})
    return str(kept.json()["id"])


async def a_refusal(served: Api) -> str:
    hospital = await served.of("sykehus")
    answer = await hospital.post("/documents", content=b"<a/>", headers={"Content-Type": "application/xml"})
    return str(answer.json()["refusalId"])


async def test_the_plain_door_and_operations_do_what_their_document_says(served: Api, tmp_path: Path) -> None:
    ids = (f'message_id = "{await a_message(served)}"', f'refusal_id = "{await a_refusal(served)}"')
    await explore(served, "openapi.json", "sykehus", tmp_path, *ids)
    await explore(served, "openapi.json", "operator", tmp_path)


async def test_version_3_does_what_its_document_says(served: Api, tmp_path: Path) -> None:
    known = (f'message_id = "{await a_message(served)}"', f"HerIds = [{NURSING}]")
    await explore(served, "openapi/edi-v3.json", "kommune", tmp_path, *known)
    await explore(served, "openapi/edi-v3.json", "kommune", tmp_path)


async def test_version_2_does_what_its_document_says(served: Api, tmp_path: Path) -> None:
    known = (f'message_id = "{await a_message(served)}"', f"herId = {NURSING}", f"ReceiverHerIds = [{NURSING}]")
    await explore(served, "openapi/edi-v2.json", "kommune", tmp_path, *known, f"appRecSenderHerId = {NURSING}")
    await explore(served, "openapi/edi-v2.json", "kommune", tmp_path)


async def test_every_operation_that_needs_a_key_says_so(api: Api) -> None:
    client = await api.of(None)
    for document in ("openapi.json", "openapi/edi-v2.json", "openapi/edi-v3.json"):
        told = (await client.get(f"/{document}")).json()
        for path, operations in told["paths"].items():
            for method, operation in operations.items():
                is_open = path.startswith("/health") or path == "/ping" or (method, path) == ("get", "/validate")
                assert ("security" in operation) is not is_open, (method, path)
                assert ("401" in operation["responses"]) is not is_open, (method, path)
                assert "422" not in operation["responses"]
