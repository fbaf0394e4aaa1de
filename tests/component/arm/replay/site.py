"""The web sites that recorded templates take scripts and files from: one folder, by mirrors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.component.arm.replay.exchanges import Conversation
from tests.component.arm.replay.variables import Substitutes

URIS = ("scriptUri", "sourceUri")


def build(conversation: Conversation, folder: Path, substitutes: Substitutes) -> dict[str, str]:
    """Put a file there for each address that a conversation names, and return the mirrors for them.

    Checksums that templates give become those of the files that are here.
    """
    mirrors: dict[str, str] = {}
    for exchange in conversation:
        for step in _steps(exchange.sent):
            uri = next(step[name] for name in URIS if step.get(name))
            address = urlsplit(uri)
            file = folder / address.netloc / address.path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            content = f"# {uri}\n".encode()
            file.write_bytes(content)
            mirrors[f"{address.scheme}://{address.netloc}/"] = f"file://{folder / address.netloc}/"
            if checksum := step.get("sha256Checksum"):
                substitutes.set(checksum, hashlib.sha256(content).hexdigest())
    return mirrors


def _steps(value: Any) -> Iterator[dict[str, Any]]:
    """Give the customizers and validators in a body that download something."""
    if isinstance(value, dict):
        if any(isinstance(value.get(name), str) for name in URIS):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _steps(one)
