"""The published contract: all that the service answers, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.component.arm.asking import asking
from vmwright.arm.assembly import Assembled, assemble
from vmwright.arm.contract.publishing import described
from vmwright.events import Events
from vmwright.settings import Settings
from vmwright.state.database import Database
from vmwright.template.contract import API_VERSIONS, NEWEST

IMAGE_BUILDER = "/providers/Microsoft.VirtualMachineImages/"
# nothing here is the database's
pytestmark = pytest.mark.parametrize("database_settings", ["sqlite"], indirect=True)


@pytest.fixture
def assembled(settings: Settings, database: Database, events: Events) -> Assembled:
    return assemble(settings, database, events)


async def contract(assembled: Assembled, query: str = "") -> dict[str, Any]:
    async with asking(assembled.app) as client:
        answer = await client.get(f"/openapi.json{query}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def test_each_route_is_described_and_each_description_has_a_route(assembled: Assembled) -> None:
    routes = {(route.method, route.pattern) for route in assembled.routes}
    assert routes == {operation.key for operation in described()}


async def test_it_is_given_to_whoever_asks_and_has_all_operations(assembled: Assembled) -> None:
    found = await contract(assembled)
    assert (found["openapi"], found["info"]["version"]) == ("3.1.0", NEWEST)
    there = {
        (method.upper(), path)
        for path, methods in found["paths"].items()
        for method in methods
        if method != "parameters"
    }
    assert there == {operation.key for operation in described()}


async def test_what_wants_no_token_is_said_and_all_else_wants_one(assembled: Assembled) -> None:
    found = await contract(assembled)
    assert found["security"] == [{"token": []}]
    for route in assembled.routes:
        said = found["paths"][route.pattern][route.method.lower()]
        assert ("security" in said) == route.is_open


@pytest.mark.parametrize("version", API_VERSIONS)
async def test_each_api_version_has_the_operations_that_it_has(assembled: Assembled, version: str) -> None:
    found = await contract(assembled, f"?api-version={version}")
    own = {path: methods for path, methods in found["paths"].items() if IMAGE_BUILDER in path}
    assert any("/triggers" in path for path in own) == (version >= "2022-07-01")
    assert any(path.endswith("/cancel") for path in own) == (version >= "2020-02-14")
    put = own[next(path for path in own if path.endswith("/imageTemplates/{name}"))]["put"]
    assert put["parameters"][0]["schema"]["enum"] == [version]
    errors = put["responses"]["4XX"]["content"]["application/json"]["schema"]
    assert ("anyOf" in errors) == (version < "2021-10-01")
    kinds = found["components"]["schemas"]
    assert ("ImageTemplate.FileValidator" in kinds) == (version >= "2022-07-01")


async def test_all_that_it_refers_to_is_in_it(assembled: Assembled) -> None:
    for version in API_VERSIONS:
        found = await contract(assembled, f"?api-version={version}")
        for target in references(found):
            place: Any = found
            for part in target.removeprefix("#/").split("/"):
                place = place[part]


def references(document: Any) -> set[str]:
    if isinstance(document, list):
        return {one for value in document for one in references(value)}
    if not isinstance(document, dict):
        return set()
    own = {document["$ref"]} if isinstance(document.get("$ref"), str) else set()
    return own.union(*map(references, document.values()))


async def test_requests_have_no_placeholders_and_not_what_files_say_of_themselves(
    assembled: Assembled,
) -> None:
    kinds = (await contract(assembled))["components"]["schemas"]
    template = kinds["ImageTemplate"]
    assert not {"apiVersion", "dependsOn"} & template["properties"].keys()
    assert kinds["ImageTemplate.VmProfile"]["properties"]["osDiskSizeGB"]["type"] == "integer"
    assert kinds["ImageTemplate.Identity"]["properties"]["type"]["anyOf"] == [
        {"enum": ["UserAssigned", "None"]},
        {"pattern": "^$", "type": "string"},
    ]


async def test_an_api_version_that_there_is_not_is_refused(assembled: Assembled) -> None:
    async with asking(assembled.app) as client:
        answer = await client.get("/openapi.json?api-version=2020-01-01")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidApiVersionParameter")
    assert NEWEST in answer.json()["error"]["message"]
