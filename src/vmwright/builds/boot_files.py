"""Finishing boot files: a container cannot make a disk bootable again, a VM can.

Where a step changed the kernel, the initramfs, the boot loader's configuration or fstab in a container,
what Debian's and Red Hat's tools wrote there may be wrong without a word (``update-grub`` in a container
leaves a menu without Linux in it). The build is then handed over to a VM, which writes them anew.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from vmwright.builds import baseline
from vmwright.customizers.customizer import run_streamed
from vmwright.errors import MachineError
from vmwright.machines.boot_files import WRITE_GRUB, WRITE_INITRAMFS, changes
from vmwright.machines.machine import MachineKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmwright.artifacts.facts import Provisioning
    from vmwright.builds.build import Build
    from vmwright.builds.workshop import Workshop
    from vmwright.events import Events
    from vmwright.guests.linux import LinuxGuest
    from vmwright.machines.machine import Machine
    from vmwright.sources.base_disk import BaseDisk

SHOWN = 5

# Of these alone the initramfs knows nothing; making it anew takes minutes in an emulated VM.
GRUB_ONLY = ("/etc/default/grub", "/etc/grub.d/", "/boot/grub/", "/boot/grub2/")


async def changed(build: Build, machine: Machine) -> tuple[str, ...]:
    """Return which boot files are not those that a container has found at its start, by their paths."""
    before = await baseline.kept(build)
    return () if before is None else changes(before, await machine.boot_files())


async def write(
    build: Build, base: BaseDisk, workshop: Workshop, changed: Sequence[str], provisioning: Provisioning
) -> None:
    """Have changed boot files written anew by a virtual machine, which the workshop's becomes if it is none.

    :param provisioning: from what the guest is provisioned now: steps may have installed or removed that.
    :raises MachineError: the VM does not boot, or the boot files cannot be written.
    """
    if workshop.machine.kind is MachineKind.CONTAINER:
        names = ", ".join(changed[:SHOWN])
        more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        build.events.note(
            f"Boot files changed in the container ({names}{more}): the build is finished in a VM"
        )
        facts = dataclasses.replace(base.facts, provisioning=provisioning)
        await workshop.go_on_in_vm(dataclasses.replace(base, facts=facts))
    if not all(path.startswith(GRUB_ONLY) for path in changed):
        await _run(WRITE_INITRAMFS, workshop.guest, build.events)
    await _run(WRITE_GRUB, workshop.guest, build.events)


async def _run(script: str, guest: LinuxGuest, events: Events) -> None:
    result = await run_streamed(script, guest, events, as_root=True)
    if not result.succeeded:
        said = "\n".join(result.last_lines)
        raise MachineError(f"The boot files could not be written anew, exit code {result.exit_code}:\n{said}")
