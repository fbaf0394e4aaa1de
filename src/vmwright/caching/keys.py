"""The key of a step: a keyed digest of all that the disk after it depends on.

Steps and files may hold secrets: without the secret of the home nobody can tell from a key whether a guess at
them is right.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from dataclasses import dataclass

# To be raised whenever the disk after a step depends on something more, or on something else, and where what
# is kept beside the disk changes its meaning.
FORMAT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all steps of a build stand on: their disk, their machine, their surroundings.

    :param source: the digest of the source's artifact; ``disk_bytes``: of the disk that the guest sees.
    :param machine: vm or container, ``programs`` the versions of what runs it.
    :param accelerator: of the virtual machine, or of the one that finishes a container's disk.
    :param processor: what such a machine emulates.
    :param environment: what an Azure guest finds around it: location, VM size, identities; "" for none.
    :param user: the build user, ``variables`` what its steps get in their environment.
    :param vmwright: this program's version: it sets the guest up for its steps.
    """

    source: str
    disk_bytes: int
    generation: str
    provisioning: str
    machine: str
    programs: tuple[str, ...]
    accelerator: str
    processor: str
    environment: str
    cpus: int
    memory_mib: int
    network: str
    user: str
    variables: str
    vmwright: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepKey:
    """What of a step reaches the guest: the SHA-256 of its script or file, a file's ``destination``."""

    kind: str
    sha256: str
    destination: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndKey:
    """What runs after the last step: the default deprovisioning script, and all commands around it."""

    script: str
    commands: str
    vmwright: str


Part = Ground | StepKey | EndKey


@dataclass(frozen=True, slots=True)
class Keys:
    """Makes keys, 64 hex digits each; ``secret`` is that of the home."""

    secret: bytes

    def first(self, ground: Ground) -> str:
        """Return the key of a disk on which no step has run."""
        return self._digest("", ground)

    def after(self, previous: str, part: StepKey | EndKey) -> str:
        """Return the key of the disk after one more step."""
        return self._digest(previous, part)

    def _digest(self, previous: str, part: Part) -> str:
        said = {"format": FORMAT, "previous": previous, type(part).__name__: dataclasses.asdict(part)}
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()
