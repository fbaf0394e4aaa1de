"""What was recorded of the real service: conversations of requests and answers, in files of JSON.

A file is a list of exchanges. Each names its ``recording``, the conversation that it is of; ``seq`` is its
place in that. The recorder has put zeros for the subscription, counters for names, and left some headers out.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ARM = re.compile(r"/(subscriptions|providers|tenants)\b", re.IGNORECASE)
SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)
ADDRESS_VERSION = re.compile(r"[?&]api-version=([^&]+)")
GROUPS = "Microsoft.Resources/resourceGroups"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request and what the real service answered; ``headers`` have names in lower case."""

    recording: str
    number: int
    method: str
    path: str
    api_version: str
    query: Mapping[str, str]
    sent: Any
    status: int
    headers: Mapping[str, str]
    answered: Any

    @property
    def is_arms(self) -> bool:
        """Whether it is for ARM: other hosts (Graph, login, storage) are in the path."""
        return bool(ARM.match(self.path))

    @property
    def resource_type(self) -> str:
        """The type that the path is about, with an action or a collection at its end."""
        parts = [part for part in self.path.split("/") if part]
        lower = [part.lower() for part in parts]
        if "providers" not in lower:
            return GROUPS if "resourcegroups" in lower else "/".join(parts[2:3]) or "subscriptions"
        at = len(lower) - lower[::-1].index("providers")
        return "/".join([parts[at], *parts[at + 1 :: 2]])

    @property
    def kind(self) -> str:
        """What the request is, for people and for the list of differences."""
        return f"{self.method} {self.resource_type}"

    def __str__(self) -> str:
        return f"{self.recording} {self.number}: {self.method} {self.path} ({self.api_version})"


Conversation = tuple[Exchange, ...]


def conversations(folder: Path) -> list[Conversation]:
    """Return what is in all files of a folder; one conversation may be in several, an exchange twice."""
    found: dict[str, dict[int, Exchange]] = defaultdict(dict)
    for file in sorted(folder.glob("*.json")):
        for recorded in json.loads(file.read_text()):
            found[recorded["recording"]].setdefault(recorded["seq"], _exchange(recorded))
    return [_relabelled([exchanges[number] for number in sorted(exchanges)]) for exchanges in found.values()]


def _relabelled(conversation: list[Exchange]) -> Conversation:
    """Return a conversation with the api-versions that were asked for when it was recorded.

    Some were given newer ones by hand later, in the requests alone. The address to poll still has the one
    that the request had: the service repeats it there (reference §2), and answers in its shape.
    """
    asked: dict[tuple[str, str], str] = {}
    for exchange in conversation:
        repeated = ADDRESS_VERSION.search(exchange.headers.get("azure-asyncoperation", ""))
        if repeated:
            asked[exchange.resource_type.lower(), exchange.api_version] = repeated[1]
    return tuple(
        dataclasses.replace(
            exchange,
            api_version=asked.get(
                (exchange.resource_type.lower(), exchange.api_version), exchange.api_version
            ),
        )
        for exchange in conversation
    )


def _exchange(recorded: Mapping[str, Any]) -> Exchange:
    return Exchange(
        recording=recorded["recording"],
        number=recorded["seq"],
        method=recorded["method"],
        path=recorded["path"],
        api_version=recorded["api_version"],
        query=recorded.get("query") or {},
        sent=_unwrapped(recorded["request_body"]),
        status=recorded["status"],
        headers={name.lower(): value for name, value in recorded["response_headers"].items()},
        answered=recorded["response_body"],
    )


def _unwrapped(body: Any) -> Any:
    """Return a request's body: some were recorded as what Python prints of their bytes, even twice."""
    if not isinstance(body, str):
        return body
    while body.startswith(("b'", 'b"')):
        body = ast.literal_eval(body).decode()
    return json.loads(body) if body else None
