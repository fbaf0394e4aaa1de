"""What the contract says of one operation."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# What an answer has of each method where nothing else is said: the status, the schema ("" without a body).
USUAL: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "GET": {200: "Document"},
        "HEAD": {204: ""},
        "PUT": {200: "Document", 201: "Document"},
        "PATCH": {200: "Document"},
        "POST": {200: "Document"},
        "DELETE": {200: "", 204: ""},
    }
)
LIST = "[]"
ODATA = ("$filter", "$top", "$skiptoken")


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation; ``pattern`` is that of its route.

    :param about: what it does, in a few words.
    :param answers: the schemas of its answers by their statuses, None: what is usual for its method; a
        schema with ``[]`` behind it is a collection of such.
    :param takes: the schema of the request's body, "" without one.
    :param polled: the statuses whose answers tell where the operation is polled.
    :param query: parameters of the query besides api-version, none of them required.
    :param since: the first api-version that has it, "" for all of its type.
    :param is_form: whether the request's body is a form.
    """

    method: str
    pattern: str
    about: str
    answers: Mapping[int, str] | None = None
    takes: str = ""
    polled: tuple[int, ...] = ()
    query: tuple[str, ...] = ()
    since: str = ""
    is_form: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others: method and pattern."""
        return self.method, self.pattern

    @property
    def answered(self) -> Mapping[int, str]:
        """The schemas of its answers by their statuses."""
        return self.answers or USUAL[self.method]
