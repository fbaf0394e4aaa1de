"""What clients ask for before they have a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.contract.operation import Operation
from vmwright.arm.identity import metadata
from vmwright.arm.identity.issuer import ADFS, CONFIGURATION, DEVICE_PAGE, KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSIONS = ("oauth2", "oauth2/v2.0")


def described() -> Iterator[Operation]:
    """Give the operations."""
    cloud = {200: "Cloud"}
    yield Operation(
        "GET", metadata.PATTERN, "Describe this cloud to its clients", cloud, query=("api-version",)
    )
    yield Operation("GET", "/aliases.json", "List the short names of marketplace images")
    for base, style in ((f"/{ADFS}", "ADFS"), ("/{tenant}", "Entra ID")):
        for path in (CONFIGURATION, f"v2.0/{CONFIGURATION}"):
            yield Operation("GET", f"{base}/{path}", f"Describe the issuer of tokens as {style} does, {path}")
        for version in VERSIONS:
            yield Operation(
                "POST",
                f"{base}/{version}/token",
                f"Give a token as {style} does, {version}",
                {200: "Token"},
                "TokenRequest",
                is_form=True,
            )
            yield Operation(
                "POST",
                f"{base}/{version}/devicecode",
                f"Give a device a code as {style} does, {version}",
                {200: "DeviceCode"},
                "TokenRequest",
                is_form=True,
            )
        for path in (KEYS, "discovery/v2.0/keys"):
            yield Operation(
                "GET", f"{base}/{path}", f"List the keys that sign tokens as {style} does, {path}"
            )
    yield Operation(
        "GET", f"/{ADFS}/{{tenant}}/v2.0/{CONFIGURATION}", "Tell the id of a tenant that has a name"
    )
    page = {200: "Page"}
    yield Operation("GET", f"/{ADFS}/{DEVICE_PAGE}", "Show the page of codes", page, query=("user_code",))
    yield Operation("POST", f"/{ADFS}/{DEVICE_PAGE}", "Let a device in", page, "DeviceForm", is_form=True)
