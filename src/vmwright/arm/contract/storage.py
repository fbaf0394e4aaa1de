"""Microsoft.Storage: the accounts of staging groups, and what is downloaded from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.contract.operation import Operation
from vmwright.arm.http.routing import GROUP, SUBSCRIPTION
from vmwright.arm.providers.storage.accounts import ACCOUNT, ACCOUNT_TYPE, LOGS, VHDS
from vmwright.arm.providers.storage.signatures import SIGNATURE, SIGNED

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOB = {200: "Bytes", 206: "Bytes", 304: ""}
SIGNED_BY = (*SIGNED, SIGNATURE)


def described() -> Iterator[Operation]:
    """Give the operations."""
    yield Operation("GET", ACCOUNT, "Show the storage account of a staging group", {200: "Resource"})
    for around, where in ((GROUP, "a resource group"), (SUBSCRIPTION, "the subscription")):
        pattern = f"{around}/providers/{ACCOUNT_TYPE}"
        yield Operation("GET", pattern, f"List the storage accounts of {where}", {200: "Resource[]"})
    yield Operation("POST", f"{ACCOUNT}/listKeys", "Say that there are no keys")
    about = "Sign addresses of an account's blobs"
    yield Operation("POST", f"{ACCOUNT}/listServiceSas", about, takes="ServiceSas")
    yield Operation("GET", f"/{{account}}/{VHDS}/{{name}}", "Download a VHD", BLOB, query=SIGNED_BY)
    pattern = f"/{{account}}/{LOGS}/{{build}}/{{name}}"
    yield Operation("GET", pattern, "Download the log of a build", BLOB, query=SIGNED_BY)
