"""What the token endpoints are asked, and how they refuse: OAuth's errors with the numbers of Entra ID."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from vmwright.arm.http.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.arm.http.call import Call
    from vmwright.arm.identity.logins import LoginError

MOST_BYTES = 64 << 10
MOST_FIELDS = 50
# Tokens and secrets must not stay in caches.
PRIVATE = {"Cache-Control": "no-store, no-cache"}


class OAuthError(Exception):
    """A refusal; ``number`` is that of AADSTS, which clients tell errors apart by."""

    def __init__(self, error: str, number: int, text: str, *, status: int = 400) -> None:
        super().__init__(text)
        self.error = error
        self.number = number
        self.text = text
        self.status = status

    def answer(self, call: Call) -> Answer:
        """Return the refusal as clients expect it (azure-clients.md, section 3.2)."""
        at = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}"
        trace = str(uuid.uuid4())
        description = (
            f"AADSTS{self.number}: {self.text} Trace ID: {trace} Correlation ID: {call.correlation_id} "
            f"Timestamp: {at}"
        )
        body = {
            "error": self.error,
            "error_description": description,
            "error_codes": [self.number],
            "timestamp": at,
            "trace_id": trace,
            "correlation_id": call.correlation_id,
        }
        return Answer(status=self.status, body=body, headers=PRIVATE)


def form_of(call: Call) -> Mapping[str, str]:
    """Return the fields of a form.

    :raises OAuthError: it is too big, or has a field twice.
    """
    malformed = OAuthError("invalid_request", 90014, "The request's form is malformed.")
    if len(call.body) > MOST_BYTES:
        raise malformed
    try:
        pairs = parse_qsl(
            call.body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise malformed from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise malformed
    return form


def required(form: Mapping[str, str], name: str) -> str:
    """Return a field that must be there.

    :raises OAuthError: it is not.
    """
    if value := form.get(name):
        return value
    raise OAuthError(
        "invalid_request", 900144, f"The request body must contain the following parameter: '{name}'."
    )


def refused_login(error: LoginError, *, is_app: bool) -> OAuthError:
    """Return why there is no token; who is not there and whose secret is wrong look alike."""
    if error.is_locked:
        text = "The account is locked because the secret was tried too often. Try again later."
        return OAuthError("invalid_grant", 50053, text)
    if is_app:
        return OAuthError("invalid_client", 7000215, "Invalid client secret provided.", status=401)
    return OAuthError("invalid_grant", 50126, "Invalid username or password.")
