"""Which programs of this host run a machine, and in which versions: what a guest does may depend on them."""

from __future__ import annotations

import platform

from vmwright import process
from vmwright.machines import nspawn, qemu_arguments
from vmwright.machines.machine import MachineKind

SECONDS = 10.0


async def versions(kind: MachineKind) -> tuple[str, ...]:
    """Return what runs machines of a kind: a program's first line of ``--version``, a container's kernel.

    :raises ProcessError: the program cannot be run.
    """
    if kind is MachineKind.CONTAINER:
        return await version_of(nspawn.PROGRAM), platform.release()
    return (await version_of(qemu_arguments.PROGRAM),)


async def version_of(program: str, *, hint: str | None = None) -> str:
    """Return the first line that a program prints of its version.

    :param hint: how to get the program where it is not there.
    :raises ProcessError: it cannot be run.
    """
    said = await process.run([program, "--version"], timeout=SECONDS, hint=hint)
    return said.text.partition("\n")[0]
