"""What a request does, in the words of roles: ``Microsoft.Compute/galleries/read``, and at which scope."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
READ = "read"
RESOURCES = "Microsoft.Resources"
AUTHORIZATION = "microsoft.authorization"
# What clients write in lower case, and roles do not.
GROUPS = "resourceGroups"


class Reach(Enum):
    """Who may do what a request wants."""

    TOKEN = auto()  # whoever has a valid token
    MEMBER = auto()  # who has a role at the scope's subscription, above it or below it
    LISTED = auto()  # who has one at the scope, above it or below it, and is shown only what it may read
    SCOPE = auto()  # who may do the action at the scope


@dataclass(frozen=True, slots=True)
class Wanted:
    """An action and the scope that it is wanted at: an id in lower case, "" for all there is."""

    action: str
    scope: str
    reach: Reach = Reach.SCOPE


@dataclass(frozen=True, slots=True)
class Place:
    """The parts of a path: its scope, the namespace of a provider (() without one), and what is below."""

    scope: tuple[str, ...]
    namespace: tuple[str, ...]
    below: tuple[str, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The types, from the outside in; of an action or a list the word at its end."""
        return self.below[0::2]

    @property
    def is_whole(self) -> bool:
        """Whether it ends in a resource, not in an action or a list."""
        return len(self.below) % 2 == 0


def wanted(method: str, parts: Sequence[str]) -> Wanted:
    """Return what a request wants to do.

    The scope is that of the resource, or what is around a list or an action: the resource, the group, the
    subscription. What ends in a word that is no resource's name is an action where it is a POST, and a list
    elsewhere.

    :param parts: the parts of the path.
    """
    place = _place(tuple(parts))
    verb = VERBS.get(method, "action")
    around = parts if place.is_whole else parts[:-1] if len(place.below) > 1 else place.scope
    scope = "".join(f"/{part.lower()}" for part in around)
    if not place.namespace:
        return Wanted(_of_resources(place, verb), scope, _reach_of_resources(place, verb))
    if not place.below:
        kinds = ("subscriptions", "providers") if place.scope else ("providers",)
        reach = Reach.SCOPE if verb != READ else Reach.MEMBER if place.scope else Reach.TOKEN
        return Wanted("/".join((RESOURCES, *kinds, verb)), scope, reach)
    return Wanted("/".join((*place.namespace, *place.kinds, verb)), scope, _reach_of_provider(place, verb))


def _place(parts: tuple[str, ...]) -> Place:
    """Tell scope, provider and resource of a path apart.

    The last provider counts: roles are assigned to resources of others. A name may be ``providers``, too, and
    so may the first type in a namespace (features of other providers).
    """
    lower = [part.lower() for part in parts]
    at = 2 if lower[:1] == ["subscriptions"] and len(parts) > 1 else 0
    if at and lower[at : at + 1] == ["resourcegroups"]:
        at += 2
    found = Place(parts[:2], (), parts[2:]) if at else Place((), (), parts)
    while lower[at : at + 1] == ["providers"]:
        found = Place(parts[:at], parts[at + 1 : at + 2] or ("",), parts[at + 2 :])
        at += 4
        while at < len(lower) and lower[at] != "providers":
            at += 2
    return found if found.namespace != ("",) else Place(found.scope, (), ("providers",))


def _of_resources(place: Place, verb: str) -> str:
    kinds = tuple(GROUPS if kind.lower() == GROUPS.lower() else kind for kind in place.kinds)
    if kinds[:1] == (GROUPS,) and kinds[1:] and kinds[1].lower() == "deployments":
        # as some clients ask for a deployment's operations
        kinds = kinds[1:]
    elif place.scope:
        kinds = ("subscriptions", *kinds)
    return "/".join((RESOURCES, *kinds, verb))


def _reach_of_resources(place: Place, verb: str) -> Reach:
    kinds = [kind.lower() for kind in place.kinds]
    if verb != READ:
        return Reach.SCOPE
    if not place.scope:
        common = {"subscriptions": Reach.LISTED, "tenants": Reach.TOKEN, "providers": Reach.TOKEN}
        return common.get("/".join(place.below).lower(), Reach.SCOPE)
    if not place.is_whole and kinds[-1] in {"resourcegroups", "resources"}:
        return Reach.LISTED
    return Reach.SCOPE if kinds[:1] == ["resourcegroups"] else Reach.MEMBER


def _reach_of_provider(place: Place, verb: str) -> Reach:
    kinds = [kind.lower() for kind in place.kinds]
    if verb != READ or place.namespace[0].lower() == AUTHORIZATION:
        return Reach.SCOPE
    if not place.scope:
        return Reach.TOKEN if kinds == ["operations"] else Reach.SCOPE
    if kinds[0] == "locations":
        # what a region offers, and how operations go that somebody has begun in a group
        return Reach.MEMBER
    is_in_group_or_above = len(place.scope) <= len(("subscriptions", "its id", GROUPS, "its name"))
    return Reach.LISTED if is_in_group_or_above and len(place.below) == 1 else Reach.SCOPE
