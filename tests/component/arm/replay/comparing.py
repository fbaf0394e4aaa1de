"""Whether an answer is the recorded one: status, headers of long-running operations, shape of the body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.component.arm.replay.exchanges import Exchange
from tests.component.arm.replay.variables import plain

OPERATION_HEADERS = ("Azure-AsyncOperation", "Location")
UNDER_WAY = "InProgress"
GOOD = {UNDER_WAY, "Succeeded"}
NOTHING = "nothing"
# What the recorder writes into a list that it has cut.
CUT = "_note"
# Tags that the service itself gives to images, since 2020 and since 2023, whatever the api-version (§11.1).
OWN_TAGS = {"correlationId", "VMImageBuilderSource"}
HOST = re.compile(r"^https?://[^/]+")
API_VERSION = re.compile(r"(?<=[?&]api-version=)[^&]+")
# ARM signs the addresses to poll since 2023 (reference §2): opaque to clients.
SIGNATURE = re.compile(r"&[tcsh]=[^&]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is not as recorded.

    :param where: such as ``status``, ``header Location``, ``body.properties.customize[].name``.
    """

    where: str
    recorded: str
    ours: str

    def __str__(self) -> str:
        return f"{self.where}: recorded {self.recorded}, ours {self.ours}"


def differences(exchange: Exchange, ours: httpx2.Response) -> list[Difference]:
    """Return in what an answer differs from the recorded one; with another status, all else is as well."""
    if ours.status_code != exchange.status:
        return [Difference(where="status", recorded=str(exchange.status), ours=str(ours.status_code))]
    theirs, mine = exchange.answered, ours.json() if ours.content else None
    if is_poll(theirs):
        theirs, mine = _at_one_time(theirs, mine)
    return [*_headers(exchange.headers, ours.headers), *_compared("body", theirs, mine)]


def is_poll(body: Any) -> bool:
    """Whether a body tells how it goes with an operation."""
    return isinstance(body, dict) and {"status", "startTime"} <= body.keys()


def _headers(theirs: Mapping[str, str], mine: Mapping[str, str]) -> Iterator[Difference]:
    for name in OPERATION_HEADERS:
        recorded, ours = theirs.get(name.lower()), mine.get(name)
        yield from _compared(f"header {name}", recorded and _address(recorded), ours and _address(ours))


def _address(url: str) -> str:
    """Return what kind of address one is: some recordings were given other api-versions by hand."""
    return API_VERSION.sub("date", SIGNATURE.sub("", HOST.sub("https://arm", url)))


def _at_one_time(theirs: dict[str, Any], mine: Any) -> tuple[Any, Any]:
    """Leave out how far an operation is, where that may differ: this service may be quicker, or less quick.

    The recorded end of one that has failed is compared as a whole.
    """
    is_under_way = theirs["status"] == UNDER_WAY
    if not isinstance(mine, dict) or not (is_under_way or {theirs["status"], mine.get("status")} <= GOOD):
        return theirs, mine
    timeless = {"status", "endTime", *(["error"] if is_under_way else [])}
    return _without(theirs, timeless), _without(mine, timeless)


def _without(body: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


def _compared(where: str, theirs: Any, mine: Any) -> Iterator[Difference]:
    """Give the differences of two values; numbers, of which a service has others, only have to be some."""
    match theirs, mine:
        case dict(), dict():
            yield from _objects(where, theirs, mine)
        case list(), list():
            yield from _lists(where, theirs, mine)
        case str(), str() if _are_alike(where, plain(theirs), plain(mine)):
            pass
        case bool(), bool() if theirs is mine:
            pass
        case (int() | float(), int() | float()) if type(theirs) is type(mine) is not bool:
            pass
        case None, None:
            pass
        case _:
            yield Difference(where=where, recorded=_told(theirs), ours=_told(mine))


def _are_alike(where: str, theirs: str, mine: str) -> bool:
    """Whether two texts say the same; a message of this service may go on with a hint."""
    return theirs == mine or (where.endswith(".message") and mine.startswith(f"{theirs} Hint: "))


def _objects(where: str, theirs: dict[str, Any], mine: dict[str, Any]) -> Iterator[Difference]:
    is_cut = CUT in theirs
    for name in dict.fromkeys([*theirs, *mine]):
        below = f"{where}.{plain(name)}"
        if name == CUT:
            continue
        if name in OWN_TAGS and where.endswith(".tags") and name not in theirs:
            continue
        if name not in mine:
            yield Difference(where=below, recorded=_told(theirs[name]), ours=NOTHING)
        elif name not in theirs:
            yield Difference(where=below, recorded=NOTHING, ours=_told(mine[name]))
        elif is_cut and isinstance(theirs[name], list) and isinstance(mine[name], list):
            yield from _lists(below, theirs[name], _named(theirs[name], mine[name]))
        else:
            yield from _compared(below, theirs[name], mine[name])


def _named(theirs: Sequence[Any], mine: Sequence[Any]) -> list[Any]:
    """Return those of our resources that are in a list which the recorder has cut."""
    by_name = {one.get("name"): one for one in mine}
    return [by_name[one["name"]] for one in theirs if one["name"] in by_name]


def _lists(where: str, theirs: Sequence[Any], mine: Sequence[Any]) -> Iterator[Difference]:
    if len(theirs) != len(mine):
        yield Difference(where=f"{where}[]", recorded=f"{len(theirs)} items", ours=f"{len(mine)} items")
    for one, other in zip(theirs, mine, strict=False):
        yield from _compared(f"{where}[]", one, other)


def _told(value: Any) -> str:
    return plain(json.dumps(value, ensure_ascii=False))
