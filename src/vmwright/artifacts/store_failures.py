"""What a failure of the shared store means: whether it passes, and how to say it without secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmwright.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

STATUS = re.compile(r"status code: (?P<code>\d{3}) (?P<reason>[A-Za-z -]+)")
CODE = re.compile(r"<Code>(\w+)</Code>")
SAID = re.compile(r'message: "(?P<said>[^"]+)"')
PASSING = {408, 425, 429}
SERVER_ERROR = 500
MISSING_STORES = {"NoSuchBucket", "ContainerNotFound"}
# where a cloud's own machines ask for credentials
METADATA = ("169.254.169.254", "metadata.google.internal")
# in the library's text: a mark, what it means, what to do
MARKS = (
    (
        "ertificate",
        "the server's certificate is not trusted",
        "add the server's CA to this host's store, or name its file in SSL_CERT_FILE",
    ),
    ("BadScheme", "its endpoint is not a URL of https", "give store.options.endpoint a whole URL"),
)
HIDDEN = "******"
SHORTEST_SECRET = 4


class PassingError(Exception):
    """A request failed in a way that another one may not; the text says how."""


def failure(url: str, error: Exception) -> Exception:
    """Return what a request that failed is to raise; the library puts the cause into its text alone.

    A missing object stays a FileNotFoundError, a missing bucket or container does not.
    """
    text = str(error)
    code = found[1] if (found := CODE.search(text)) else ""
    if isinstance(error, FileNotFoundError):
        return missing_store(url) if code in MISSING_STORES else error
    status = STATUS.search(text)
    answer = (
        f"HTTP {status['code']} {status['reason'].strip()}" + (f" ({code})" if code else "") if status else ""
    )
    if status and (int(status["code"]) >= SERVER_ERROR or int(status["code"]) in PASSING):
        return PassingError(answer)
    said = found["said"] if (found := SAID.search(text)) else ""
    return _lasting(url, text, answer, said) or PassingError(said or _cause(text))


def _lasting(url: str, text: str, answer: str, said: str) -> StoreError | None:
    """Return the error for what another attempt does not change; ``said`` is the system's own message."""
    if any(host in text for host in METADATA):
        return _error(
            url,
            "no credentials are configured, and this machine has none of its own",
            hint="give them in store.options, or in the variables of that cloud",
        )
    if answer:
        return _error(
            url, f"the server answered {answer}", hint="see whether store.options are right, and current"
        )
    for mark, reason, hint in MARKS:
        if mark in text:
            return _error(url, reason, hint=hint)
    if url.startswith("file:"):
        return _error(url, said or "the folder cannot be read or written", hint="check its space and rights")
    return None


def unreachable(url: str, error: PassingError, *, seconds: float) -> StoreError:
    """Return the error after the last attempt."""
    return _error(
        url,
        f"{error} (tried for {seconds:.0f} seconds)",
        hint="what was sent stays there and is not sent again: see to the store, then try again",
    )


def missing_store(url: str) -> StoreError:
    """Return the error for a bucket, container or folder that is not there."""
    what = {"az": "container", "s3": "bucket", "gs": "bucket"}.get(url.partition(":")[0], "folder")
    return _error(url, f"there is no such {what}", hint=f"make the {what} first, or change store.url")


def wrong_options(url: str, error: Exception, secrets: Iterable[str]) -> StoreError:
    """Return the error for options that the library refuses."""
    said = str(error).partition("\n")[0]
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            said = said.replace(secret, HIDDEN)
    return _error(url, said, hint="see docs/store.md for the keys of store.options")


def _error(url: str, reason: str, *, hint: str | None = None) -> StoreError:
    return StoreError(f"The store {url} cannot be used: {reason}", target=url, hint=hint)


def _cause(text: str) -> str:
    if "dns error" in text:
        return "its name cannot be resolved"
    if "Timeout" in text or "timed out" in text:
        return "it did not answer in time"
    return "the connection failed"
