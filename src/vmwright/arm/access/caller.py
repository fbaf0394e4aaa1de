"""Whoever makes a request, and what that one may do just then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.arm.access.principal import Principal

if TYPE_CHECKING:
    from vmwright.arm.access.decisions import Grants


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal with all roles as they were when it was let in."""

    principal: Principal
    grants: Grants

    def may(self, action: str, scope: str) -> bool:
        """Whether it may do an action; ``scope`` is an id in any case."""
        return self.grants.allows(self.principal, action, scope.lower())

    def instead(self, principal_id: str) -> Caller:
        """Return another principal of the directory, by its object id, with the roles of that one."""
        return Caller(Principal(id=principal_id, name=principal_id), self.grants)
