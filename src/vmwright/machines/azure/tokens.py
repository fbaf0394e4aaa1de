"""Tokens of managed identities: from commands that the operator has configured (settings: guest_identities).

Answers and errors as IMDS gives them (Microsoft Learn, "How to use managed identities for Azure resources on
a VM to acquire an access token"): an error is JSON with ``error`` and ``error_description``.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from vmwright.errors import ProcessError
from vmwright.process import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vmwright.events import Events
    from vmwright.machines.machine import AssignedIdentity

COMMAND_SECONDS = 60.0
# for commands that print a bare token
HOUR = 3600
# what a guest may put on a command line of this host: an https address, or an application's id
RESOURCE = re.compile(r"(https://|api://)?[A-Za-z0-9][A-Za-z0-9._~/:-]{0,254}")
SELECTORS = ("client_id", "mi_res_id", "msi_res_id", "object_id", "principal_id")
RESOURCE_PLACE = "{resource}"
SECONDS = re.compile(r"[0-9]{1,18}")  # since 1970


class TokenError(Exception):
    """Why a guest gets no token, in IMDS' words."""

    def __init__(self, status: HTTPStatus, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.document = {"error": error, "error_description": description}


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    expires_on: int


class Tokens:
    """The tokens of the identities that are assigned to one machine."""

    def __init__(self, identities: Sequence[AssignedIdentity], events: Events) -> None:
        self._identities = tuple(identities)
        self._events = events
        # a guest that asks without end keeps one program of this host busy, not many
        self._one_at_a_time = asyncio.Lock()
        self._told: set[str] = set()

    async def answer(self, query: Mapping[str, str]) -> dict[str, str]:
        """Return IMDS' answer to a request for a token.

        :raises TokenError: the request is wrong, or there is no such identity or no token for it.
        """
        resource = query.get("resource", "")
        if not resource:
            raise _invalid("Required query variable 'resource' is missing")
        if not RESOURCE.fullmatch(resource):
            raise _invalid("Invalid resource")
        identity = self._chosen(query)
        async with self._one_at_a_time:
            token = await self._token(identity, resource)
        self._events.keep_secret(token.value)
        left = str(max(0, token.expires_on - int(time.time())))
        return {
            "access_token": token.value,
            "client_id": identity.client_id,
            "expires_in": left,
            "expires_on": str(token.expires_on),
            "ext_expires_in": left,
            "not_before": str(int(time.time())),
            "resource": resource,
            "token_type": "Bearer",
        }

    def _chosen(self, query: Mapping[str, str]) -> AssignedIdentity:
        asked = {name: query[name].lower() for name in SELECTORS if query.get(name)}
        if len(asked) > 1:
            raise _invalid("Only one of client_id, object_id, msi_res_id can be specified")
        if not asked and len(self._identities) > 1:
            raise _invalid(
                "Multiple user assigned identities exist, please specify the clientId / resourceId of the "
                "identity in the token request"
            )
        matching = [
            identity
            for identity in self._identities
            if not asked or set(asked.values()) & {identity.client_id.lower(), identity.resource_id.lower()}
        ]
        if not matching:
            raise _invalid("Identity not found")
        return matching[0]

    async def _token(self, identity: AssignedIdentity, resource: str) -> _Token:
        command = [part.replace(RESOURCE_PLACE, resource) for part in identity.command]
        try:
            ended = await run(command, timeout=COMMAND_SECONDS, check=False)
        except ProcessError as error:
            raise self._failed(identity, error.message) from None
        if ended.returncode != 0 or not ended.text:
            said = ended.stderr.decode(errors="replace").strip() or "it printed nothing"
            raise self._failed(identity, f"exit code {ended.returncode}: {said}")
        token = _read(ended.text)
        if token is None:
            raise self._failed(identity, "what it printed is neither a token nor JSON with an access token")
        return token

    def _failed(self, identity: AssignedIdentity, reason: str) -> TokenError:
        """Tell the user the reason, once; it is none of the guest's business."""
        if identity.resource_id not in self._told:
            self._told.add(identity.resource_id)
            self._events.warn(f"There is no token of {identity.resource_id} for the guest: {reason}")
        return TokenError(
            HTTPStatus.INTERNAL_SERVER_ERROR, "unknown", "Failed to retrieve token from the Active directory"
        )


def _read(text: str) -> _Token | None:
    """Read a bare token, or JSON as ``az account get-access-token`` and OAuth servers print it."""
    in_an_hour = int(time.time()) + HOUR
    if not text.startswith("{"):
        return _Token(text, in_an_hour) if len(text.split()) == 1 else None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    value = document.get("access_token") or document.get("accessToken")
    expires = str(document.get("expires_on") or "")
    if not isinstance(value, str):
        return None
    return _Token(value, int(expires) if SECONDS.fullmatch(expires) else in_an_hour)


def _invalid(description: str) -> TokenError:
    return TokenError(HTTPStatus.BAD_REQUEST, "invalid_request", description)
