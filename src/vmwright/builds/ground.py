"""What of a build makes the keys of the step cache: its surroundings, each step, what runs at the end."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from vmwright import __version__
from vmwright.builds import deprovisioning, generalize
from vmwright.builds.hosting import planned
from vmwright.caching.keys import EndKey, Ground, StepKey
from vmwright.customizers.shell import ENVIRONMENT
from vmwright.guests.build_user import removal_of
from vmwright.machines.boot_files import WRITE_GRUB, WRITE_INITRAMFS
from vmwright.machines.versions import versions
from vmwright.template.model import File

if TYPE_CHECKING:
    from vmwright.builds.build import Build
    from vmwright.customizers.kinds import ReadyStep
    from vmwright.sources.base_disk import BaseDisk


async def ground_of(build: Build, base: BaseDisk, *, disk_bytes: int) -> Ground:
    """Return what all steps of a build stand on.

    :raises UnsupportedError: nothing on this host can run it.
    :raises ProcessError: what runs it does not tell its version.
    """
    kind, spec = await planned(build, base)
    return Ground(
        source=base.digest,
        disk_bytes=disk_bytes,
        generation=spec.generation,
        provisioning=base.facts.provisioning,
        machine=kind,
        programs=await versions(kind),
        accelerator=spec.accelerator,
        processor=spec.processor,
        environment=json.dumps(dataclasses.asdict(spec.azure), sort_keys=True) if spec.azure else "",
        cpus=spec.cpus,
        memory_mib=spec.memory_mib,
        network=str(spec.network),
        user=spec.user,
        variables=ENVIRONMENT,
        vmwright=__version__,
    )


def step_key(ready: ReadyStep, sha256: str) -> StepKey:
    """Return what of a step reaches the guest.

    :param sha256: of its script or file, in lower-case hex.
    """
    destination = ready.step.destination if isinstance(ready.step, File) else ""
    return StepKey(kind=ready.step.kind, sha256=sha256, destination=destination)


def end_key(user: str) -> EndKey:
    """Return what runs after the last step, for a build user."""
    commands = (
        *(WRITE_INITRAMFS, WRITE_GRUB),
        *(generalize.EQUIVALENT.decode(), generalize.CLOUD_INIT, generalize.ALL, removal_of(user)),
    )
    return EndKey(script=deprovisioning.DEFAULT.decode(), commands="\0".join(commands), vmwright=__version__)
