"""Finishing boot files: a container cannot make a disk bootable again, a VM can.

Where a step changed the kernel, the initramfs, the boot loader's configuration or fstab in a container,
what Debian's and Red Hat's tools wrote there may be wrong without a word (``update-grub`` in a container
leaves a menu without Linux in it). The build is then handed over to a VM, which writes them anew.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from vmwright.builds.generalize import provisioning_of, read_script, write_script
from vmwright.builds.hosting import vm_for
from vmwright.builds.stage import Stage
from vmwright.customizers.customizer import run_streamed
from vmwright.errors import MachineError

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from vmwright.builds.build import Build
    from vmwright.events import Events
    from vmwright.guests.linux import LinuxGuest
    from vmwright.sources.base_disk import BaseDisk

SHOWN = 5

# Of these alone the initramfs knows nothing; making it anew takes minutes in an emulated VM.
GRUB_ONLY = ("/etc/default/grub", "/etc/grub.d/", "/boot/grub/", "/boot/grub2/")

WRITE_INITRAMFS = """\
set -e
if command -v update-initramfs >/dev/null 2>&1; then
    update-initramfs -u -k all
elif command -v dracut >/dev/null 2>&1; then
    dracut --force --regenerate-all
fi
"""
WRITE_GRUB = """\
set -e
if command -v update-grub >/dev/null 2>&1; then
    update-grub
elif command -v grub2-mkconfig >/dev/null 2>&1; then
    grub2-mkconfig -o /boot/grub2/grub.cfg
fi
"""


async def finish(build: Build, base: BaseDisk, stage: Stage, cleanup: AsyncExitStack) -> Stage:
    """Return the stage to go on with: where a container changed boot files, a VM's, which wrote them anew.

    :raises MachineError: the VM does not boot, or the boot files cannot be written.
    """
    changed = await stage.machine.changed_boot_files()
    if not changed:
        return stage
    names = ", ".join(changed[:SHOWN]) + (f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else "")
    build.events.note(f"Boot files changed in the container ({names}): the build is finished in a VM")
    deprovisioning = await read_script(stage.guest)
    # a step may have installed or removed what provisions the image in the VM
    facts = dataclasses.replace(base.facts, provisioning=await provisioning_of(stage.guest))
    await stage.machine.power_off()
    await stage.layers.stack()
    machine = await vm_for(build, dataclasses.replace(base, facts=facts))
    cleanup.push_async_callback(machine.destroy)
    guest = await machine.start(stage.layers.top)
    if deprovisioning is not None:
        # the boot empties /tmp
        await write_script(guest, build.folder, deprovisioning)
    if not all(path.startswith(GRUB_ONLY) for path in changed):
        await _run(WRITE_INITRAMFS, guest, build.events)
    await _run(WRITE_GRUB, guest, build.events)
    return Stage(machine, guest, stage.layers)


async def _run(script: str, guest: LinuxGuest, events: Events) -> None:
    result = await run_streamed(script, guest, events, as_root=True)
    if not result.succeeded:
        said = "\n".join(result.last_lines)
        raise MachineError(f"The boot files could not be written anew, exit code {result.exit_code}:\n{said}")
