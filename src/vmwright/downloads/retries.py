"""Which failures of a download pass by themselves, and how long to wait for that."""

from __future__ import annotations

import os
import re
import socket
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx2
import stamina

from vmwright.errors import DownloadError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ATTEMPTS = 10
FIRST_WAIT = 0.5
LONGEST_WAIT = 15.0
LONGEST_RETRY_AFTER = 120.0
SECONDS = re.compile(r"[0-9]+")
PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


class TransientError(Exception):
    """An attempt failed in a way that another may not; ``retry_after``: seconds that the server asks for."""

    def __init__(self, cause: str, *, retry_after: float | None = None) -> None:
        super().__init__(cause)
        self.retry_after = retry_after


def attempts(most: int = ATTEMPTS) -> AsyncIterator[stamina.Attempt]:
    """Yield attempts, ten as Azure makes (reference §5.2), each after a longer wait than the one before."""
    # Each failed attempt is an event; stamina would print it to standard error once more.
    stamina.instrumentation.set_on_retry_hooks(())
    return aiter(
        stamina.retry_context(
            _wait, attempts=most, timeout=None, wait_initial=FIRST_WAIT, wait_max=LONGEST_WAIT
        )
    )


def check_status(response: httpx2.Response, *, shown: str, hint: str | None = None) -> None:
    """Let a good response pass.

    :param hint: what to do about a refusal, where more is known than its status.
    :raises TransientError: the server is busy or broken: 408, 425, 429, 5xx.
    :raises DownloadError: the server refuses: any other.
    """
    if response.is_success:
        return
    status = response.status_code
    said = f"HTTP {status} {response.reason_phrase}".strip()
    if reason := response.headers.get("x-ms-error-code"):  # of Azure Storage
        said += f" ({reason})"
    if response.is_server_error or status in PASSING:
        raise TransientError(said, retry_after=retry_after(response.headers.get("Retry-After", "")))
    raise DownloadError(f"{shown}: the server answered {said}", target=shown, hint=hint or _hint(status))


def retry_after(value: str) -> float | None:
    """Read a Retry-After header, seconds or a date; None where it says nothing. Two minutes at most."""
    if SECONDS.fullmatch(value.strip()):
        return min(float(value), LONGEST_RETRY_AFTER)
    try:
        wait = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, 0.0), LONGEST_RETRY_AFTER)


def from_transport(error: httpx2.TransportError, *, shown: str) -> TransientError:
    """Return what a failure of the connection means for the next attempt.

    :raises DownloadError: another attempt would fail likewise: the certificate is not trusted.
    """
    said = str(error) or type(error).__name__
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise DownloadError(
                f"{shown}: the server's certificate is not trusted: {cause.verify_message}",
                target=shown,
                hint="add the server's CA to this host's store, or name its file in SSL_CERT_FILE",
            ) from None
        if isinstance(cause, OSError) and cause.errno:
            own_numbers = isinstance(cause, ssl.SSLError | socket.gaierror)
            said = (cause.strerror or said) if own_numbers else os.strerror(cause.errno)
    if isinstance(error, httpx2.TimeoutException):
        return TransientError("the server did not answer in time")
    return TransientError(said)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _wait(error: Exception) -> bool | float:
    if not isinstance(error, TransientError):
        return False
    return True if error.retry_after is None else error.retry_after


def _hint(status: int) -> str | None:
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return "the URL needs credentials, or its SAS has run out"
        case HTTPStatus.NOT_FOUND | HTTPStatus.GONE:
            return "check the URL"
        case _:
            return None
