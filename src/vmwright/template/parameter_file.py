"""An ARM parameter file, as it is given beside a deployment template."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParameterFile:
    """A parameter file: its name for messages, its bytes."""

    name: str
    data: bytes
