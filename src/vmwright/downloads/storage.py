"""URLs of Azure Storage: which account a blob is in, and what its answers say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from vmwright.downloads import addresses

if TYPE_CHECKING:
    import httpx2

# Azure's clouds, and accounts with a DNS zone of their own; ``-secondary`` is an account's read-only copy.
HOST = re.compile(
    r"(?P<account>[a-z0-9]{3,24})(-secondary)?\.(z\d{1,2}\.)?blob\."
    r"(core\.(windows\.net|usgovcloudapi\.net|chinacloudapi\.cn|cloudapi\.de)|storage\.azure\.net)"
)
# To who asks without credentials a private blob is missing; where no blob may be public, it is a conflict.
REFUSALS = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
}
ROOT_CONTAINER = "$root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A storage account; ``endpoint`` is its URL where the host is none of Azure's own."""

    name: str
    endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A blob by the names of its account, container and itself, none of them URL-encoded."""

    account: str
    container: str
    name: str


def azure_account(url: httpx2.URL) -> str | None:
    """Return the storage account of a URL on one of Azure's own hosts."""
    found = HOST.fullmatch(url.host)
    return found["account"] if found else None


def likely_account(url: httpx2.URL) -> Account:
    """Return the account of a URL whose server answered as Azure Storage does.

    Servers without a name, such as Azurite, have the account in the path; others in the host.
    """
    if name := azure_account(url):
        return Account(name=name)
    server = f"{url.scheme}://{url.netloc.decode('ascii')}"
    if is_loopback(url) or addresses.literal(url.host):
        name = url.path.split("/")[1]
        return Account(name=name, endpoint=f"{server}/{name}")
    return Account(name=url.host.partition(".")[0], endpoint=server)


def is_in(url: httpx2.URL, account: str, endpoint: httpx2.URL | None) -> bool:
    """Return whether a URL is one of an account: of Azure's host for it, or below its endpoint."""
    if endpoint is None:
        return azure_account(url) == account.casefold()
    same_server = (url.scheme, url.netloc) == (endpoint.scheme, endpoint.netloc)
    return same_server and url.path.startswith(f"{endpoint.path.rstrip('/')}/")


def blob_of(url: httpx2.URL, account: str, endpoint: httpx2.URL | None) -> Blob:
    """Return the blob of a URL that is in an account; without a container it is in ``$root``."""
    prefix = endpoint.path.rstrip("/") if endpoint else ""
    container, slash, name = url.path.removeprefix(f"{prefix}/").partition("/")
    if not slash:
        return Blob(account=account, container=ROOT_CONTAINER, name=container)
    return Blob(account=account, container=container, name=name)


def is_signed(url: httpx2.URL) -> bool:
    """Return whether a URL has a shared access signature of its own."""
    return "sig" in url.params


def may_carry_secrets(url: httpx2.URL) -> bool:
    """Return whether nobody on the way to a URL can read what is sent there."""
    return url.scheme == "https" or is_loopback(url)


def is_loopback(url: httpx2.URL) -> bool:
    """Return whether a URL is on this host, by its address or by a name that never means another."""
    address = addresses.literal(url.host)
    return address.is_loopback if address else url.host == "localhost"


def is_refusal(response: httpx2.Response) -> bool:
    """Return whether Azure Storage, or what speaks like it, does not give a blob to who asks."""
    return response.status_code in REFUSALS and "x-ms-request-id" in response.headers
