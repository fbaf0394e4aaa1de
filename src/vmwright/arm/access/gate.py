"""Lets callers in: whose token is valid, and whose roles allow what they want."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

from vmwright.arm.access.actions import Reach, Wanted, wanted
from vmwright.arm.access.decisions import refusal
from vmwright.arm.access.principal import ANYBODY

if TYPE_CHECKING:
    from vmwright.arm.access.decisions import Decisions, Grants
    from vmwright.arm.access.principal import Principal
    from vmwright.arm.http.answer import Answer
    from vmwright.arm.http.routing import Route


class Authenticator(Protocol):
    """Knows whom a token is for."""

    async def principal_of(self, authorization: str) -> Principal:
        """Return who calls.

        :param authorization: the header of that name, "" without one.
        :raises ArmError: the token is missing or not valid (401).
        """


class RoleGate:
    """The gate of a service: authentication, then authorisation by roles."""

    def __init__(self, authenticator: Authenticator, decisions: Decisions) -> None:
        self._authenticator = authenticator
        self._decisions = decisions

    async def admit(self, route: Route, method: str, parts: tuple[str, ...], authorization: str) -> Principal:
        """Return who calls.

        :raises ArmError: the token is not valid (401), or its bearer may not do this here (403).
        """
        if route.is_open:
            return ANYBODY
        principal = await self._authenticator.principal_of(authorization)
        await self.allow(route, principal, method, parts)
        return principal

    async def allow(self, route: Route, principal: Principal, method: str, parts: tuple[str, ...]) -> None:
        """Let a principal do something that is known to be its own wish.

        :raises ArmError: it may not do this here (403).
        """
        want = _wanted(route, method, parts)
        if not (await self._decisions.grants()).admits(principal, want):
            raise _refused(principal, want, parts)

    async def shown(
        self, route: Route, principal: Principal, method: str, parts: tuple[str, ...], answer: Answer
    ) -> Answer:
        """Return an answer as its caller may see it: a list without what it may not read.

        :raises ArmError: the answer cannot be shown in part, and not all of it may be read (403).
        """
        want = _wanted(route, method, parts)
        if route.is_open or want.reach is not Reach.LISTED:
            return answer
        grants = await self._decisions.grants()
        if isinstance(answer.body, dict) and isinstance(answer.body.get("value"), list):
            values = _readable(answer.body["value"], grants, principal, want)
            return dataclasses.replace(answer, body={**answer.body, "value": values})
        if not grants.allows(principal, want.action, want.scope):
            raise _refused(principal, want, parts)
        return answer


def _wanted(route: Route, method: str, parts: tuple[str, ...]) -> Wanted:
    want = wanted(method, parts)
    match route.action:
        case None:
            return want
        case "":
            return dataclasses.replace(want, reach=Reach.TOKEN)
        case action:
            return Wanted(action, want.scope)


def _refused(principal: Principal, want: Wanted, parts: tuple[str, ...]) -> Exception:
    # a scope is the beginning of the path: here it is as the client wrote it
    scope = "".join(f"/{part}" for part in parts[: want.scope.count("/")])
    return refusal(principal, want.action, scope)


def _readable(values: list[Any], grants: Grants, principal: Principal, listing: Wanted) -> list[Any]:
    """Return what a principal may read; all of a type at once, where a role at the list's scope allows it."""
    # what has no id of its own, such as a size of machines, goes with the list
    whole = {"": grants.allows(principal, listing.action, listing.scope)}
    readable = []
    for value in values:
        kind = value.get("type") or value["id"] if "id" in value else ""
        if kind not in whole:
            whole[kind] = grants.allows(principal, _to_read(value).action, listing.scope)
        if whole[kind] or (kind and grants.admits(principal, _to_read(value))):
            readable.append(value)
    return readable


def _to_read(value: dict[str, Any]) -> Wanted:
    return wanted("GET", tuple(filter(None, value["id"].split("/"))))
