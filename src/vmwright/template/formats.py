"""What a text must look like: resource ids, URIs, checksums, durations; each says what is wrong with one."""

from __future__ import annotations

import re
from itertools import zip_longest
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vmwright.template.contract import INT32_MAX, NAME_PATTERN, Format

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DURATION = re.compile(r"\+?(?:0|(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|ms|s|m|h))+)")
SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
NAME = re.compile(NAME_PATTERN)
VERSION = re.compile(r"[0-9]{1,10}\.[0-9]{1,10}\.[0-9]{1,10}")
DIRECT_SHARED = re.compile(r"/sharedGalleries/[^/\s]+/images/[^/\s]+/versions/[^/\s]+", re.IGNORECASE)
IDENTITY_ID = (("Microsoft.ManagedIdentity", "userAssignedIdentities"), "an identity")
# provider, then the chain of types, and what the id names.
IDS: Mapping[Format, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        Format.IMAGE_ID: (("Microsoft.Compute", "images"), "a managed image"),
        Format.IMAGE_VERSION_ID: (
            ("Microsoft.Compute", "galleries", "images", "versions"),
            "a version of a gallery's image definition",
        ),
        Format.DEFINITION_ID: (("Microsoft.Compute", "galleries", "images"), "a gallery's image definition"),
        Format.SUBNET_ID: (("Microsoft.Network", "virtualNetworks", "subnets"), "a subnet"),
        Format.IDENTITY_ID: IDENTITY_ID,
        Format.RESOURCE_GROUP_ID: ((), "a resource group"),
    }
)


def is_name(text: str) -> bool:
    """Tell whether a text may name a template or a run output: 1 to 64 letters, digits, ``-_.``."""
    return NAME.fullmatch(text) is not None


def is_duration(text: str) -> bool:
    """Tell whether a text is a Go duration that is not negative, such as ``5m`` or ``1h30m``."""
    return DURATION.fullmatch(text) is not None


def is_sha256(text: str) -> bool:
    """Tell whether a text is a SHA-256 in hexadecimal digits of either case."""
    return SHA256.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """Tell whether a text is a gallery's version number: Major.Minor.Patch, each at most 2147483647."""
    return VERSION.fullmatch(text) is not None and all(int(part) <= INT32_MAX for part in text.split("."))


def is_direct_shared(text: str) -> bool:
    """Tell whether a text is the id of a version in a gallery that is shared directly (since 2022-07-01)."""
    return DIRECT_SHARED.fullmatch(text) is not None


def uri_fault(text: str) -> str:
    """Say why a text is no URI with a scheme and a host or path; "" if it is one."""
    if any(sign.isspace() for sign in text):
        return "it has a blank in it"
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        # What it says may hold the user and password that stand before the host.
        return "its host cannot be read"
    if not parts.scheme:
        return "it has no scheme such as https://"
    if parts.scheme in {"http", "https"} and not host:
        return "it names no host"
    if parts.scheme == "file" and not parts.path.startswith("/"):
        return "its path is not absolute: file:///folder/name"
    return ""


def id_pattern(types: tuple[str, ...]) -> str:
    """Return how the id of such a resource reads, for a hint."""
    group = "/subscriptions/<id>/resourceGroups/<name>"
    if not types:
        return group
    provider, *chain = types
    names = "/".join(f"{kind}/<name>" for kind in chain)
    return f"{group}/providers/{provider}/{names}"


def id_fault(text: str, types: tuple[str, ...], *, version_allowed: bool = False) -> str:
    """Say what is wrong with a resource id; "" if it is well-formed.

    ``types`` is the provider followed by its chain of types, or nothing for a resource group; their casing
    does not matter to Azure.
    """
    return next(_id_faults(text, types, version_allowed=version_allowed), "")


def _id_faults(text: str, types: tuple[str, ...], *, version_allowed: bool) -> Iterator[str]:
    provider, *chain = types or ("",)
    if any(sign.isspace() for sign in text):
        yield "it has a blank in it"
    if not text.startswith("/"):
        yield "it does not begin with a slash"
    if text.endswith("/"):
        yield "it ends with a slash"
    segments = text[1:].split("/")
    pairs = list(zip_longest(segments[::2], segments[1::2], fillvalue=""))
    words = ["subscriptions", "resourceGroups", *(("providers", *chain) if types else ())]
    for word, (found, value) in zip_longest(words, pairs[: len(words)], fillvalue=("", "")):
        if not found:
            yield f"`{word}` is missing"
        if found.casefold() != str(word).casefold():
            yield f"`{found}` stands where `{word}` belongs"
        if not value:
            yield f"nothing follows `{found}`"
        if word == "providers" and value.casefold() != provider.casefold():
            yield f"the provider is `{value}`, not `{provider}`"
    yield from _version_faults(segments[2 * len(words) :], version_allowed=version_allowed)


def _version_faults(rest: list[str], *, version_allowed: bool) -> Iterator[str]:
    if rest and (not version_allowed or rest[0].casefold() != "versions"):
        yield f"`{rest[0]}` is more than belongs here"
    elif rest and not is_version("/".join(rest[1:])):
        yield "its version is not Major.Minor.Patch, such as 1.0.0"
