"""What a request does, in the words of roles: ``Microsoft.Compute/galleries/read``, and at which scope."""

from __future__ import annotations

from dataclasses import dataclass

VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
GROUPS = "Microsoft.Resources/subscriptions/resourceGroups"
SUBSCRIPTIONS = "Microsoft.Resources/subscriptions"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An action and the scope that it is wanted at: an id in lower case, "" for all there is."""

    action: str
    scope: str


def wanted(method: str, parts: tuple[str, ...]) -> Wanted:
    """Return what a request wants to do.

    The scope is that of the resource, the group around a list, or the subscription. What ends in a word
    that is no resource's name is an action of what stands before it, where it is a POST, and a list elsewhere.

    :param parts: the parts of the path.
    """
    lower = [part.lower() for part in parts]
    if lower[:1] != ["subscriptions"]:
        return Wanted(f"Microsoft.Resources/{VERBS.get(method, 'action')}", "")
    if "providers" not in lower:
        return _of_group(method, lower)
    # the last one counts: roles are assigned to resources of other providers
    at = len(lower) - 1 - lower[::-1].index("providers")
    scope, namespace, below = lower[:at], parts[at + 1 : at + 2], parts[at + 2 :]
    kinds, names = below[0::2], below[1::2]
    if len(kinds) == len(names):
        return Wanted(_action(method, namespace, kinds), "/" + "/".join(lower))
    around = [*scope, *(["providers", *lower[at + 1 : -1]] if names else [])]
    if method == "POST":
        return Wanted("/".join((*namespace, *kinds, "action")), "/" + "/".join(around))
    return Wanted(_action(method, namespace, kinds), "/" + "/".join(around))


def _of_group(method: str, lower: list[str]) -> Wanted:
    verb = VERBS.get(method, "action")
    if len(lower) > len(("subscriptions", "id", "resourcegroups")):
        return Wanted(f"{GROUPS}/{verb}", "/" + "/".join(lower[:4]))
    if "resourcegroups" in lower:
        return Wanted(f"{GROUPS}/{verb}", "/" + "/".join(lower[:2]))
    return Wanted(f"{SUBSCRIPTIONS}/{verb}", "/" + "/".join(lower[:2]))


def _action(method: str, namespace: tuple[str, ...], kinds: tuple[str, ...]) -> str:
    return "/".join((*namespace, *kinds, VERBS.get(method, "action")))
