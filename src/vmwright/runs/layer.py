"""One layer of a build's disk, as it is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.artifacts.facts import Provisioning


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A committed layer: a qcow2 file that is never written again.

    :param number: its place in the chain, from 0; ``step`` is the last one that the disk has behind it.
    :param path: the file on ``host``; ``digest`` names its bytes in the shared store, where they are there.
    :param deprovisioning: the script that was in the guest; ``provisioning`` is that of a generalized one.
    """

    number: int
    step: int
    host: str
    path: Path
    digest: str | None
    size_bytes: int
    deprovisioning: bytes | None
    provisioning: Provisioning | None = None
