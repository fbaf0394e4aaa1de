"""May this principal do this action at this scope?"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.arm.access.actions import Reach, Wanted
from vmwright.arm.access.roles import BY_NAME, Role, is_within
from vmwright.arm.http.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vmwright.arm.access.assignments import Assignments
    from vmwright.arm.access.definitions import Definitions
    from vmwright.arm.access.principal import Principal

# For how long a role that another process of the service has taken away may still be had.
KEPT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Grant:
    """A role and the scope that it is had at, an id in lower case."""

    scope: str
    role: Role


@dataclass(frozen=True, slots=True)
class Grants:
    """Who has which roles where, by the ids of principals."""

    of_principals: Mapping[str, tuple[Grant, ...]]

    def allows(self, principal: Principal, action: str, scope: str) -> bool:
        """Whether a principal has a role, at a scope or above it, that allows an action."""
        return any(
            is_within(scope, grant.scope) and grant.role.allows(action) for grant in self._of(principal)
        )

    def reaches(self, principal: Principal, scope: str) -> bool:
        """Whether a principal has a role at a scope, above it or below it."""
        return any(
            is_within(scope, grant.scope) or is_within(grant.scope, scope) for grant in self._of(principal)
        )

    def admits(self, principal: Principal, wanted: Wanted) -> bool:
        """Whether a principal may do what it wants; of a list it may only see a part (``Reach.LISTED``)."""
        match wanted.reach:
            case Reach.TOKEN:
                return True
            case Reach.MEMBER:
                return self.reaches(principal, _subscription(wanted.scope))
            case Reach.LISTED:
                return not wanted.scope or self.reaches(principal, wanted.scope)
            case Reach.SCOPE:
                return self.allows(principal, wanted.action, wanted.scope)

    def _of(self, principal: Principal) -> tuple[Grant, ...]:
        everywhere = (Grant("", BY_NAME[name.lower()]) for name in principal.roles if name.lower() in BY_NAME)
        return (*self.of_principals.get(principal.id.lower(), ()), *everywhere)


class Decisions:
    """Decides by the roles in the database, which are read anew when they change here, and now and then.

    :param clock: seconds that never go back.
    """

    def __init__(
        self,
        assignments: Assignments,
        definitions: Definitions,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._assignments = assignments
        self._definitions = definitions
        self._clock = clock
        self._reading = asyncio.Lock()
        self._changes = 0
        self._kept: tuple[Grants, int, float] | None = None

    async def grants(self) -> Grants:
        """Return who has which roles."""
        if grants := self._fresh():
            return grants
        async with self._reading:
            if grants := self._fresh():
                return grants
            changes, at = self._changes, self._clock()
            grants = await asyncio.to_thread(self._read)
            self._kept = (grants, changes, at)
            return grants

    def changed(self) -> None:
        """Say that an assignment or a definition has been written: the next decision knows it."""
        self._changes += 1

    async def require(self, principal: Principal, wanted: Wanted) -> None:
        """Make sure that a principal may do something.

        :raises ArmError: it may not.
        """
        if not (await self.grants()).admits(principal, wanted):
            raise refusal(principal, wanted.action, wanted.scope)

    def _fresh(self) -> Grants | None:
        if self._kept is None:
            return None
        grants, changes, at = self._kept
        return grants if changes == self._changes and self._clock() - at < KEPT_SECONDS else None

    def _read(self) -> Grants:
        # in this order: a role that somebody has does not go
        assignments = self._assignments.find_all()
        roles = {role.id: role for role in self._definitions.find_all()}
        found: dict[str, list[Grant]] = defaultdict(list)
        for one in assignments:
            if role := roles.get(one.role_id):
                found[one.principal_id].append(Grant(one.scope.lower(), role))
        return Grants({principal: tuple(grants) for principal, grants in found.items()})


def refusal(principal: Principal, action: str, scope: str) -> ArmError:
    """Return the error of what a principal may not do.

    :param scope: best as the client wrote it.
    """
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{principal.name}' with object id '{principal.id}' does not have authorization to "
        f"perform action '{action}' over scope '{scope or '/'}' or the scope is invalid. If access was "
        "recently granted, please refresh your credentials.",
        is_gateways=True,
    )


def linked_refusal(
    principal: Principal, action: str, scope: object, linked: Sequence[tuple[str, str]]
) -> ArmError:
    """Return the error of what a principal may not use elsewhere in what it does here (reference §5.2).

    :param linked: each action that it may not do, with its scope.
    """
    actions, scopes = (",".join(parts) for parts in zip(*linked, strict=True))
    return ArmError(
        403,
        "LinkedAuthorizationFailed",
        f"The client '{principal.name}' with object id '{principal.id}' has permission to perform action "
        f"'{action}' on scope '{scope}'; however, it does not have permission to perform action(s) "
        f"'{actions}' on the linked scope(s) '{scopes}' (respectively) or the linked scope(s) are invalid.",
        is_gateways=True,
    )


def _subscription(scope: str) -> str:
    return "/".join(scope.split("/")[:3])
