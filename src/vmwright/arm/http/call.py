"""One request, as the providers see it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from vmwright.arm.http.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.arm.access.principal import Principal


# The escape of U+0000, not a backslash that stands for itself: databases differ in whether they hold it.
NULL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

# No resource is nested half as deep; what walks through one may call itself for each level.
MOST_LEVELS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that has been matched to a route, authenticated and authorised.

    :param method: GET, PUT, PATCH, POST, DELETE or HEAD.
    :param path: the path as the client wrote it, without a slash too many.
    :param names: what stands in the places of the route's pattern, as the client wrote it.
    :param query: the query's parameters by their names in lower case; of several of a name the last.
    :param headers: by their names in lower case.
    :param base_url: ``https://host:port``, as the client reached the service, without a slash at the end.
    :param request_id: a UUID; the ``x-ms-request-id`` of the answer, unless that is an operation's.
    :param correlation_id: the client's ``x-ms-correlation-request-id``, or ``request_id``.
    """

    method: str
    path: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base_url: str
    request_id: str
    correlation_id: str
    principal: Principal
    api_version: str = field(default="")

    def document(self) -> dict[str, Any]:
        """Return the body, a JSON object; without a body an empty one.

        :raises ArmError: it is something else, or has what is not kept here: numbers without end, halves of
            characters, null characters.
        """
        if not self.body.strip():
            return {}
        try:
            document = json.loads(self.body, parse_constant=_refuse_number, parse_float=_finite)
            text = json.dumps(document, ensure_ascii=False)
            text.encode()
            if NULL.search(text):
                raise ValueError("it has the character U+0000, which no text here may have")  # noqa: TRY301
        except (ValueError, RecursionError) as error:
            raise ArmError(
                400, "InvalidRequestContent", f"The request content was invalid: {_reason(error)}"
            ) from None
        if not isinstance(document, dict):
            raise ArmError(400, "InvalidRequestContent", "The request content is not a JSON object.")
        if _is_deep(document):
            raise ArmError(
                400,
                "InvalidRequestContent",
                f"The request content was invalid: it is nested deeper than {MOST_LEVELS} levels.",
            )
        return document


def _is_deep(document: dict[str, Any]) -> bool:
    level: list[Any] = [document]
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number that JSON has")


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "it is not Unicode" if isinstance(error, UnicodeError) else str(error)
