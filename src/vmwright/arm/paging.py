"""Long collections, a page at a time: ``nextLink`` is where the next one is."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

from vmwright.arm.http.answer import Answer
from vmwright.arm.http.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from vmwright.arm.http.call import Call

MOST = 500
MOST_OF_WHOLE = 1000
TOKEN = "$skipToken"  # noqa: S105 - a place in a list


class HasId(Protocol):
    """What stands in a collection."""

    @property
    def id(self) -> str:
        """What it is known by in its collection."""


Item = TypeVar("Item", bound=HasId)


def page(
    call: Call,
    find: Callable[[str, int], Sequence[Item]],
    show: Callable[[Item], dict[str, Any]],
) -> Answer:
    """Return the page of a collection that a call asks for.

    :param find: returns items in their order: those after an id in lower case ("" for the first), so many.
    :raises ArmError: the call's ``$skipToken`` is none of ours.
    """
    found = find(_decoded(call.query.get(TOKEN.lower(), "")), MOST + 1)
    body: dict[str, object] = {"value": [show(resource) for resource in found[:MOST]]}
    if len(found) > MOST:
        last = base64.urlsafe_b64encode(found[MOST - 1].id.lower().encode()).decode()
        kept = {name: value for name, value in call.query.items() if name != TOKEN.lower()}
        query = urlencode({**kept, TOKEN: last}, safe="$")
        body["nextLink"] = f"{call.base_url}{quote(call.path)}?{query}"
    return Answer(body=body)


def page_of(call: Call, documents: Iterable[Mapping[str, Any]]) -> Answer:
    """Return a page of a collection that is there as a whole, in the order of its ids.

    It takes ``$top`` and ``$skiptoken``; what is none is not an error, as in ARM's own lists.
    """
    after = _after(call.query.get("$skiptoken", ""))
    left = sorted((document for document in documents if _key(document) > after), key=_key)
    most = _most(call.query.get("$top", ""))
    body: dict[str, object] = {"value": left[:most]}
    if len(left) > most:
        body["nextLink"] = _next(call, _key(left[most - 1]))
    return Answer(body=body)


def _decoded(token: str) -> str:
    try:
        key = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        key = "\0"
    if not key.isprintable():
        raise ArmError(400, "InvalidSkipToken", f"'{token}' is not a {TOKEN} of this service.")
    return key


def _key(document: Mapping[str, Any]) -> str:
    return str(document["id"]).lower()


def _most(text: str) -> int:
    number = int(text) if re.fullmatch("[0-9]{1,6}", text) else 0
    return min(number or MOST_OF_WHOLE, MOST_OF_WHOLE)


def _after(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode("ascii", "replace")).decode()
    except ValueError:
        return ""


def _next(call: Call, key: str) -> str:
    token = base64.urlsafe_b64encode(key.encode()).decode()
    kept = {name: value for name, value in call.query.items() if name != "$skiptoken"}
    query = "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in kept.items())
    return f"{call.base_url}{quote(call.path)}?{query}&$skiptoken={token}"
