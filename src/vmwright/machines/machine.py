"""What runs a guest: the protocol behind both machines, and what they are told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from vmwright.machines.network import USER, Network

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.errors import MachineLostError
    from vmwright.guests.linux import LinuxGuest
    from vmwright.machines.boot_files import BootFiles
    from vmwright.template.model import Generation


# The emulated processor: all that QEMU has, without AVX and fast moves of bytes: QEMU emulates the older
# instructions faster that programs take in their place.
EMULATED = "max,-avx,-avx2,-fma,-f16c,-erms,-fsrm"


class MachineKind(StrEnum):
    """The two machines."""

    VM = "vm"
    CONTAINER = "container"


class Accelerator(StrEnum):
    """What makes a VM's processors: KVM where a probe has booted a kernel under it, else emulation."""

    KVM = "kvm"
    TCG = "tcg"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedIdentity:
    """A managed identity whose tokens the guest may have.

    :param client_id: "" where it is not known; ``command``: prints a token, ``{resource}`` in it is replaced.
    """

    resource_id: str
    client_id: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureEnvironment:
    """What a guest that finds itself on Azure is told of its surroundings."""

    location: str
    vm_size: str
    identities: tuple[AssignedIdentity, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpec:
    """What a machine is to be.

    :param name: unique on this host, short (a host name): from the build's id.
    :param folder: where the machine keeps its sockets, seeds and logs; the build's own.
    :param cpus: processors; ``memory_mib``: memory in MiB.
    :param processor: QEMU's ``-cpu`` under emulation; with KVM it is the host's own.
    :param user: the build user, unprivileged with password-less sudo.
    :param azure: the Azure guest environment of a VM; None for one that is provisioned by a NoCloud seed.
    """

    name: str
    folder: Path
    cpus: int
    memory_mib: int
    generation: Generation
    accelerator: Accelerator = Accelerator.TCG
    processor: str = EMULATED
    user: str = "packer"
    network: Network = USER
    azure: AzureEnvironment | None = None


class Machine(Protocol):
    """A guest's machine, from start to stop.

    The order is start, then any of restarted / checkpoint, then power_off; destroy may come at any time,
    again and again, and always comes last.
    """

    kind: MachineKind

    async def start(self, disk: Path) -> LinuxGuest:
        """Start the machine on ``disk`` (a qcow2 overlay that it may write) and wait until the guest is
        provisioned: the build user is there, the root file system fills the disk, the network is up.

        :raises MachineError: with the last lines of the console.
        """

    async def settle(self, *, timeout: float) -> bool:
        """Wait until the guest is up again where it is restarting; return whether it had been.

        :param timeout: seconds for the whole restart.
        :raises MachineLostError: see ``lost``.
        :raises MachineError: the guest is off, or did not come back in time.
        """

    async def checkpoint(self, layer: Path) -> None:
        """Freeze the disk as it is and let the guest go on in a new overlay at ``layer``.

        When this returns, the disk that was written so far never changes again.

        :raises MachineLostError: see ``lost``; what was done since the layer before counts for nothing then.
        """

    def received_bytes(self) -> int | None:
        """Return how much has come to the guest over its network since it started; None: not known."""

    async def boot_files(self) -> BootFiles:
        """Return what the guest boots from, as it is now; the machine runs."""

    async def power_off(self) -> None:
        """Shut the guest down in good order and wait until its disk is closed."""

    async def lost(self) -> MachineLostError | None:
        """Return which program of this host that the machine needs was killed, or None where none was.

        To be asked where something has failed, also after ``destroy`` (which then answers for the time before
        it). It may take half a second, for the failure is often seen before the program's end. What the guest
        did itself (switched off, crashed, filled its memory) is no loss.
        """

    async def destroy(self) -> None:
        """Remove all that the machine has on this host, whatever state it is in; needs no answer."""
