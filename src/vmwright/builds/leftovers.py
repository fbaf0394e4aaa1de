"""What steps leave in /tmp for later steps: a File customizer on Linux puts its file nowhere else.

A machine that starts on a layer finds /tmp empty, or a new one in memory. So each layer has a copy of it that
no boot touches, and that is put back after the start; generalizing removes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmwright.guests.linux import LinuxGuest

PLACE = "/var/lib/.vmwright-tmp"

# What each boot makes for itself is left out, and so is the deprovisioning script, which layers have anyway.
FIND = """\
find /tmp -mindepth 1 -maxdepth 1 ! -name 'systemd-private-*' ! -name '.*-unix' ! -name snap-private-tmp \\
    ! -name DeprovisioningScript.sh"""
SAVE = f"""\
umask 077
rm -rf {PLACE}
[ -n "$({FIND} -print -quit)" ] || exit 0
mkdir {PLACE} && {FIND} -exec cp -a -t {PLACE} -- {{}} + && exit 0
rm -rf {PLACE}
exit 1
"""
RESTORE = f"[ ! -d {PLACE} ] || {{ cp -a {PLACE}/. /tmp/ && chmod 1777 /tmp; }}"


async def save(guest: LinuxGuest) -> bool:
    """Copy what is in /tmp to where it outlasts a boot; return whether that could be done.

    :raises MachineError: the guest cannot be reached.
    """
    return (await guest.ask("sh", "-c", SAVE, as_root=True, check=False)).exit_code == 0


async def restore(guest: LinuxGuest) -> None:
    """Put back what ``save`` has copied.

    :raises MachineError: the guest cannot be reached, or its disk is full.
    """
    await guest.ask("sh", "-c", RESTORE, as_root=True)
