"""What a guest that boots is waited for: the end of cloud-init, a clock that is right, a grown root."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.errors import MachineError
from vmwright.guests.linux import ASK_STOPPING, says_stopping

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmwright.events import Events
    from vmwright.guests.linux import LinuxGuest

CLOUD_INIT_SECONDS = 600.0
CLOCK_SECONDS = 60
SETTLE_STEP = 0.5
GIB = 1 << 30
# cloud-init's own exit codes: 0 done, 1 failed, 2 done with errors it could recover from
CLOUD_INIT = "if command -v cloud-init >/dev/null; then cloud-init status --wait --long; fi"
STATE = f"cat /proc/sys/kernel/random/boot_id; {ASK_STOPPING}"
# bytes of the root file system, and of the whole disk under it
ROOT_AND_DISK = (
    "df -B1 --output=size / | tail -n 1;"
    " lsblk -bdnro SIZE /dev/$(lsblk -dnro PKNAME $(findmnt -nvro SOURCE /))"
)


@dataclass(frozen=True, slots=True)
class BootState:
    """Which boot of the guest answers, and whether it is on its way down."""

    boot_id: str
    stopping: bool


async def boot_state(guest: LinuxGuest, lost: Callable[[], MachineError | None]) -> BootState | None:
    """Ask the guest; None where it does not answer now.

    :raises MachineError: it never will, for ``lost`` says what ended its machine.
    """
    try:
        ended = await guest.ask("sh", "-c", STATE, check=False)
    except MachineError:
        ended = None
    if error := lost():
        raise error
    if ended is None or ended.exit_code is None or not ended.stdout:
        return None
    boot_id, _, states = ended.stdout.partition(b"\n")
    return BootState(boot_id.decode(errors="replace"), says_stopping(states))


async def settled_state(guest: LinuxGuest, lost: Callable[[], MachineError | None]) -> BootState:
    """Wait for as long as the guest is on its way down or up."""
    while True:
        state = await boot_state(guest, lost)
        if state is not None and not state.stopping:
            return state
        await asyncio.sleep(SETTLE_STEP)


async def finish_provisioning(guest: LinuxGuest, events: Events) -> None:
    """Wait until cloud-init is done and set what it may have left wrong; what it complained of is a warning.

    :raises MachineError: cloud-init does not end, or the build user may not become root.
    """
    await _wait_for_cloud_init(guest, events)
    await guest.ask("true", as_root=True)
    await _set_clock(guest, events)
    await _check_root(guest, events)


async def _wait_for_cloud_init(guest: LinuxGuest, events: Events) -> None:
    said = bytearray()
    try:
        async with asyncio.timeout(CLOUD_INIT_SECONDS):
            # cloud-init restarts sshd as it goes, and the connection with it
            while (code := await guest.run(CLOUD_INIT, sink=lambda _, data: said.extend(data))) is None:
                said.clear()
    except TimeoutError:
        raise MachineError(f"cloud-init did not end within {CLOUD_INIT_SECONDS:g} seconds") from None
    if code != 0:
        text = said.decode(errors="replace").strip().lstrip(".").strip()
        events.warn(f"cloud-init in the guest ended with {code}: {text}")


async def _set_clock(guest: LinuxGuest, events: Events) -> None:
    """Set a clock that is off: certificates and package lists would look expired."""
    before = time.time()
    theirs = int((await guest.ask("date", "+%s")).stdout)
    off = round(theirs - before)
    if abs(off) > CLOCK_SECONDS:
        events.note(f"The guest's clock was {off} seconds off; it was set")
        await guest.ask("date", "-s", f"@{time.time():.0f}", as_root=True)


async def _check_root(guest: LinuxGuest, events: Events) -> None:
    """Say where much of the disk is not the root file system's, as with a disk laid out by LVM."""
    ended = await guest.ask("sh", "-c", ROOT_AND_DISK, check=False)
    match ended.stdout.split():
        case [root, disk] if int(root) < int(disk) // 2:
            events.warn(
                f"The guest's root file system has {int(root) / GIB:.1f} GiB of the disk's"
                f" {int(disk) / GIB:.1f} GiB: cloud-init could not grow it"
            )
