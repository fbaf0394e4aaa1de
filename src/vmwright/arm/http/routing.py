"""Which provider answers a path: ARM's are matched without regard to case (azure-clients.md, section 4)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from vmwright.arm.http.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from vmwright.arm.http.answer import Answer
    from vmwright.arm.http.call import Call

    Handler = Callable[[Call], Awaitable[Answer]]

REST = "**"
# What most patterns begin with.
SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/{{group}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A way into a provider.

    :param pattern: such as ``/subscriptions/{subscription}/resourceGroups/{group}``: literal parts are
        matched in any case, a place in braces takes one part, ``**`` at the end all that follows (``rest``).
    :param is_open: whether it is answered without a token.
    :param action: what the caller must be allowed to do at the path's scope; without one it follows from
        method and path (``access/actions.py``).
    """

    method: str
    pattern: str
    handler: Handler
    is_open: bool = False
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """The route of a request, and what stands in its places."""

    route: Route
    names: Mapping[str, str]


class Router:
    """All routes; the first that fits is taken, those with more literal parts before others."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_length: dict[int, list[tuple[tuple[str, ...], Route]]] = defaultdict(list)
        self._open_ended: list[tuple[tuple[str, ...], Route]] = []
        for route in routes:
            parts = tuple(filter(None, route.pattern.split("/")))
            if parts and parts[-1] == REST:
                self._open_ended.append((parts[:-1], route))
            else:
                self._by_length[len(parts)].append((parts, route))
        for entries in (*self._by_length.values(), self._open_ended):
            entries.sort(key=lambda entry: (sum(map(_is_place, entry[0])), -len(entry[0])))

    def patterns(self, method: str) -> list[str]:
        """Return the patterns of all routes of a method."""
        entries = (*self._open_ended, *(entry for some in self._by_length.values() for entry in some))
        return [route.pattern for _, route in entries if route.method == method]

    def match(self, method: str, parts: tuple[str, ...]) -> Match:
        """Return the route of a request; a HEAD without a route of its own has that of GET.

        :param parts: the parts of its path, decoded, none of them empty (``split``).
        :raises ArmError: there is none, or none of this method.
        """
        fitting: dict[str, Match] = {}
        for pattern, route in (*self._by_length.get(len(parts), ()), *self._open_ended):
            names = _fits(pattern, parts, is_open_ended=route.pattern.endswith(REST))
            if names is not None:
                fitting.setdefault(route.method, Match(route, names))
        found = fitting.get(method) or (fitting.get("GET") if method == "HEAD" else None)
        if found is not None:
            return found
        path = f"/{'/'.join(parts)}"
        if fitting:
            raise ArmError(
                405,
                "MethodNotAllowed",
                f"The method '{method}' is not allowed for '{path}'.",
                headers={"Allow": ", ".join(sorted(fitting))},
                is_gateways=True,
            )
        raise ArmError(404, "NotFound", f"There is nothing at '{path}'.", is_gateways=True)


def split(raw_path: str) -> tuple[str, ...]:
    """Return the parts of a request's path, decoded; empty ones (``//``, a slash at the end) are left out.

    :param raw_path: as it stands in the request: a part may have ``%2F`` in it.
    :raises ArmError: a part is a way to another place, is not UTF-8, or has control characters.
    """
    try:
        parts = tuple(unquote(part, errors="strict") for part in raw_path.split("/") if part)
    except UnicodeDecodeError:
        raise _invalid_path() from None
    if any(part in {".", ".."} or "/" in part or "\\" in part or not part.isprintable() for part in parts):
        raise _invalid_path()
    return parts


def _invalid_path() -> ArmError:
    return ArmError(400, "InvalidUri", "The request's path is not valid.", is_gateways=True)


def _fits(pattern: tuple[str, ...], parts: tuple[str, ...], *, is_open_ended: bool) -> dict[str, str] | None:
    if len(parts) < len(pattern) or (len(parts) > len(pattern) and not is_open_ended):
        return None
    names = {}
    for wanted, given in zip(pattern, parts, strict=False):
        if _is_place(wanted):
            names[wanted[1:-1]] = given
        elif wanted.lower() != given.lower():
            return None
    if is_open_ended:
        names["rest"] = "/".join(parts[len(pattern) :])
    return names


def _is_place(part: str) -> bool:
    return part.startswith("{")
