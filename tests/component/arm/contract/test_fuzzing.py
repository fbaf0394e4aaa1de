"""What is made up by the contract, and against it: never a server's error, and answers are as it says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.component.arm.asking import HOST, SUBSCRIPTION
from tests.scripted import Recorder
from vmwright.arm.assembly import Assembled, assemble
from vmwright.arm.contract.document import document, exists, is_image_builders
from vmwright.arm.contract.publishing import described
from vmwright.arm.identity import secret_hashes
from vmwright.events import Events
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.template.contract import FIRST, NEWEST

IMAGE_BUILDER = "Microsoft.VirtualMachineImages"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/known"
PROVIDERS = f"{GROUP}/providers"
IDENTITY = f"{PROVIDERS}/Microsoft.ManagedIdentity/userAssignedIdentities/known"
TEMPLATE = f"{PROVIDERS}/{IMAGE_BUILDER}/imageTemplates/known"
# What is there, in the places of paths.
KNOWN = {
    "group": "known",
    "name": "known",
    "namespace": IMAGE_BUILDER,
    "tenant": "adfs",
    "location": "westus",
}
IDENTIFIED = {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}
SENT = {
    "location": "westus",
    "identity": IDENTIFIED,
    "properties": {
        "source": {"type": "PlatformImage", "publisher": "p", "offer": "o", "sku": "s", "version": "1.0.0"},
        "distribute": [{"type": "VHD", "runOutputName": "disk"}],
    },
}
# Besides the newest an api-version of each kind: the first, with flat errors, with an envelope.
VERSIONS = (FIRST, "2020-02-14", "2022-07-01", NEWEST)
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
EXAMPLES = 6
bounded = limits(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


@dataclass(frozen=True)
class Fuzzed:
    """A service in a loop of its own, with something in it, and its owner."""

    runner: asyncio.Runner
    assembled: Assembled
    client: httpx2.AsyncClient

    def ask(self, method: str, url: str, **sent: Any) -> httpx2.Response:
        return self.runner.run(self.client.request(method, url, **sent))

    def case(self, case: Case[Any]) -> httpx2.Response:
        """Send what was made up, with the owner's token."""
        wanted = case.as_transport_kwargs(base_url=HOST)
        headers = {**wanted["headers"], "Authorization": self.client.headers["Authorization"]}
        sent = {name: wanted[name] for name in ("params", "cookies", "json", "data") if wanted.get(name)}
        if isinstance(sent.get("data"), bytes | str):
            sent["content"] = sent.pop("data")
        return self.ask(wanted["method"], wanted["url"], headers=headers, **sent)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    folder = tmp_path_factory.mktemp("fuzzed")
    # nothing leaves this host
    mirrors = dict.fromkeys(("http://", "https://"), f"file://{folder}/")
    service = {"subscription": SUBSCRIPTION}
    settings = Settings.model_validate({"home": folder / "home", "mirrors": mirrors, "service": service})
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.closing(open_database(settings)) as database,
        asyncio.Runner() as runner,
    ):
        patch.setattr(secret_hashes, "LOG_N", 4)
        assembled = assemble(settings, database, Events(Recorder()))
        with _running(runner, assembled):
            yield _served(runner, assembled, folder / "home" / "service")


@contextlib.contextmanager
def _running(runner: asyncio.Runner, assembled: Assembled) -> Iterator[None]:
    running = assembled.running()
    runner.run(running.__aenter__())
    yield
    runner.run(running.__aexit__(None, None, None))


def _served(runner: asyncio.Runner, assembled: Assembled, folder: Any) -> Fuzzed:
    owner = assembled.owner(folder)
    assert owner is not None
    assert owner.secret is not None
    # the application raises what it has answered as an error of its own
    transport = httpx2.ASGITransport(app=assembled.app, raise_app_exceptions=False)
    fuzzed = Fuzzed(runner, assembled, httpx2.AsyncClient(transport=transport, base_url=HOST))
    form = {
        "grant_type": "client_credentials",
        "client_id": owner.app_id,
        "client_secret": owner.secret.read_text().strip(),
    }
    token = fuzzed.ask("POST", "/adfs/oauth2/token", data=form).json()["access_token"]
    fuzzed.client.headers["Authorization"] = f"Bearer {token}"
    return fuzzed


@pytest.fixture
def fuzzed(served: Fuzzed) -> Fuzzed:
    """The service with something in it: what went before may have removed it."""
    for path, version, body in (
        (GROUP, "2021-04-01", {"location": "westus"}),
        (IDENTITY, "2023-01-31", {"location": "westus"}),
        (TEMPLATE, NEWEST, SENT),
    ):
        served.runner.run(served.assembled.background.idle())
        answer = served.ask("PUT", f"{path}?api-version={version}", json=body)
        assert answer.status_code in {200, 201}, answer.text
    served.runner.run(served.assembled.background.idle())
    return served


@cache
def contract(assembled: Assembled, version: str) -> Any:
    return schemathesis.openapi.from_dict(document(assembled.routes, described(), version))


@st.composite
def cases(draw: st.DrawFn, operation: Any) -> Case[Any]:
    """Make up a request, by the contract or against it, often for what is there."""
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    case: Case[Any] = draw(st.one_of(*(operation.as_strategy(mode) for mode in modes)))
    if draw(st.integers(0, 3)):
        there = {"subscription": SUBSCRIPTION, **KNOWN}
        case.path_parameters = {
            **case.path_parameters,
            **{name: there[name] for name in case.path_parameters if name in there},
        }
    body: Any = case.body
    if isinstance(body, dict) and "location" in body and draw(st.booleans()):
        body["location"] = "westus"
        if "identity" in body:
            body["identity"] = IDENTIFIED
    return case


ASKED = [
    (*operation.key, version)
    for operation in described()
    for version in (VERSIONS if is_image_builders(operation.pattern) else (NEWEST,))
    if exists(operation, version)
]


@pytest.mark.parametrize(("method", "pattern", "version"), ASKED)
def test_what_is_made_up_is_answered_as_the_contract_says(
    fuzzed: Fuzzed, method: str, pattern: str, version: str
) -> None:
    @bounded
    @given(case=cases(contract(fuzzed.assembled, version)[pattern][method]))
    def answered(case: Case[Any]) -> None:
        case.validate_response(fuzzed.case(case), checks=list(CHECKS))

    answered()
