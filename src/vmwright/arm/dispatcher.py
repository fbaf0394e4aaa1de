"""Requests from within: a provider asks others, as the principal that it works for.

They go the way of those from outside, without a socket: the same routes, the same roles, the same rules.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, quote, unquote

from vmwright.arm.http.call import Call
from vmwright.arm.http.errors import ArmError, foreseen
from vmwright.arm.http.routing import Router, split
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.arm.access.principal import Principal
    from vmwright.arm.http.answer import Answer
    from vmwright.arm.http.app import Rules
    from vmwright.arm.http.routing import Match, Route

PROVIDERS = "providers"


class Allowing(Protocol):
    """Knows what principals may do: ``access/gate.py``."""

    async def allow(self, route: Route, principal: Principal, method: str, parts: tuple[str, ...]) -> None:
        """Let a principal do something.

        :raises ArmError: it may not do this here (403).
        """

    async def shown(
        self, route: Route, principal: Principal, method: str, parts: tuple[str, ...], answer: Answer
    ) -> Answer:
        """Return an answer as a principal may see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """For whom requests are made.

    :param base_url: how the client that began it all has reached the service.
    :param correlation_id: that of the client's request, a UUID.
    """

    principal: Principal
    base_url: str
    correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request from within; ``path`` is a resource's id, or what follows the host in an address, decoded.

    :param query: besides the api-version.
    """

    method: str
    path: str
    api_version: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)


def request_of(address: str, base_url: str) -> Request:
    """Return the GET of an address that an answer has given, such as one to poll."""
    path, _, text = address.removeprefix(base_url).partition("?")
    query = {name.lower(): value for name, value in parse_qsl(text, keep_blank_values=True)}
    return Request(method="GET", path=unquote(path), api_version=query.pop("api-version", ""), query=query)


class Dispatcher:
    """Hands requests from within to the providers."""

    def __init__(self, gate: Allowing, rules: Rules) -> None:
        self._gate = gate
        self._rules = rules
        self._router = Router(())

    def serves(self, router: Router) -> None:
        """Say who answers: all routes are known before the first request."""
        self._router = router

    def types(self) -> list[str]:
        """Return the types of resources that can be made, such as Microsoft.Compute/galleries/images."""
        found = {_type_of(pattern) for pattern in self._router.patterns("PUT")}
        return sorted(found - {""})

    def knows(self, method: str, path: str) -> bool:
        """Tell whether anybody answers a path."""
        try:
            self._router.match(method, _parts(path))
        except ArmError:
            return False
        return True

    async def check(self, request: Request, asker: Asker) -> None:
        """Check that a request would be let in.

        :raises ArmError: nobody answers it, ARM's rules refuse it, or the principal may not do this.
        """
        await self._admitted(request, asker)

    async def ask(self, request: Request, asker: Asker) -> Answer:
        """Return the answer to a request.

        :raises ArmError: it is refused, or has failed.
        """
        match, parts = await self._admitted(request, asker)
        call = Call(
            method=request.method,
            path="/" + "/".join(parts),
            names=match.names,
            query={**request.query, "api-version": request.api_version},
            headers={},
            body=b"" if request.body is None else json.dumps(request.body).encode(),
            base_url=asker.base_url,
            request_id=str(uuid.uuid4()),
            correlation_id=asker.correlation_id,
            principal=asker.principal,
            api_version=request.api_version,
        )
        try:
            answer = await match.route.handler(call)
            return await self._gate.shown(match.route, asker.principal, request.method, parts, answer)
        except VmwrightError as error:
            raise foreseen(error) from error

    async def _admitted(self, request: Request, asker: Asker) -> tuple[Match, tuple[str, ...]]:
        parts = _parts(request.path)
        match = self._router.match(request.method, parts)
        await self._gate.allow(match.route, asker.principal, request.method, parts)
        self._rules.check(parts, request.api_version)
        return match, parts


def _parts(path: str) -> tuple[str, ...]:
    return split(quote(path))


def _type_of(pattern: str) -> str:
    """Return the type of the resources of a pattern; "" where it is not that of one."""
    _, provider, below = pattern.rpartition(f"/{PROVIDERS}/")
    namespace, *parts = below.split("/")
    kinds, names = parts[0::2], parts[1::2]
    is_whole = len(kinds) == len(names) and bool(kinds) and all(name.startswith("{") for name in names)
    has_places = any(part.startswith("{") for part in (namespace, *kinds))
    return "/".join((namespace, *kinds)) if provider and is_whole and not has_places else ""
