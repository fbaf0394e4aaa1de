"""Texts with ``${name}`` in them, as marketplace.toml writes addresses and versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDER = re.compile(r"\$\{(\w+)(?::(\d))?\}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values in their places: ``${name}``, or ``${name:4}`` zeros in front, four characters at least.

    What has no value stays as it is.
    """

    def value(found: re.Match[str]) -> str:
        name, width = found.groups()
        return values[name].rjust(int(width or 0), "0") if name in values else found[0]

    return PLACEHOLDER.sub(value, text)


def open_names(text: str) -> set[str]:
    """Return the names that still want a value."""
    return {found[1] for found in PLACEHOLDER.finditer(text)}


def form_of(version: str) -> re.Pattern[str]:
    """Return what all versions made from a text match: each open name is a number."""
    fixed = PLACEHOLDER.split(version)[:: PLACEHOLDER.groups + 1]
    return re.compile(r"[\d.]+".join(re.escape(part) for part in fixed))
