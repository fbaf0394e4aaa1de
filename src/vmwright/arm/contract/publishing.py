"""Where the contract is: for everybody, as it holds no secret."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
from typing import TYPE_CHECKING

from vmwright.arm.contract import (
    authorization,
    compute,
    deployments,
    image_templates,
    login,
    resources,
    running,
    storage,
)
from vmwright.arm.contract.document import document
from vmwright.arm.contract.operation import Operation
from vmwright.arm.http.answer import Answer
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import Route
from vmwright.template.contract import API_VERSIONS, NEWEST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from vmwright.arm.http.call import Call

PATTERN = "/openapi.json"
JSON = {"Content-Type": "application/json; charset=utf-8"}


def described() -> tuple[Operation, ...]:
    """Return what is said of the operations of all providers."""
    itself = Operation("GET", PATTERN, "Show this contract", query=("api-version",))
    providers = (
        *(image_templates, compute, storage, deployments, resources, authorization),
        *(login, running),
    )
    return (itself, *itertools.chain.from_iterable(provider.described() for provider in providers))


def published(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Return routes, and with them the way to their contract: that of an api-version, or of the newest."""

    @functools.cache
    def contract(version: str) -> bytes:
        return json.dumps(document(everything, described(), version), ensure_ascii=False).encode()

    async def get(call: Call) -> Answer:
        version = call.api_version or NEWEST
        if version not in API_VERSIONS:
            raise ArmError(
                400,
                "InvalidApiVersionParameter",
                f"There is no api-version '{version}' of the image builder; there are "
                f"{', '.join(API_VERSIONS)}.",
                target="api-version",
                is_gateways=True,
            )
        content = await asyncio.to_thread(contract, version)
        return Answer(body=_whole(content), headers={**JSON, "Content-Length": str(len(content))})

    everything = (*routes, Route(method="GET", pattern=PATTERN, handler=get, is_open=True))
    return everything


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content
