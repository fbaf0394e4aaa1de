"""What steps leave in /tmp for later steps: a File customizer on Linux puts its file nowhere else.

A machine that starts on a layer finds /tmp empty, or a new one in memory. So each layer has a copy of it that
no boot touches, and that is put back after the start; generalizing removes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from vmwright.builds.deprovisioning import SCRIPT

if TYPE_CHECKING:
    from vmwright.guests.linux import LinuxGuest

PLACE = "/var/lib/.vmwright-tmp"

# What each boot makes for itself is left out, and so is the deprovisioning script, which layers have anyway.
FIND = f"""\
find /tmp -mindepth 1 -maxdepth 1 ! -name 'systemd-private-*' ! -name '.*-unix' ! -name snap-private-tmp \\
    ! -name {PurePosixPath(SCRIPT).name}"""
SAVE = f"""\
umask 077
rm -rf {PLACE}
[ -n "$({FIND} -print -quit)" ] || exit 0
mkdir {PLACE} && {FIND} -exec cp -a -t {PLACE} -- {{}} + && exit 0
rm -rf {PLACE}
exit 1
"""
# A line that says whether all was copied, then the script, where there is one.
WHOLE, WITH_SCRIPT = "whole", "script"
LOOK = f"""\
( {SAVE} ) && echo {WHOLE}
if [ -f {SCRIPT} ]; then echo {WITH_SCRIPT} && cat {SCRIPT}; fi
"""
RESTORE = f"[ ! -d {PLACE} ] || {{ cp -a {PLACE}/. /tmp/ && chmod 1777 /tmp; }}"


@dataclass(frozen=True, slots=True)
class Left:
    """What a step has left in /tmp.

    :param is_whole: whether a copy of all is kept; ``deprovisioning``: the script, None where it is gone.
    """

    is_whole: bool
    deprovisioning: bytes | None


async def save(guest: LinuxGuest) -> Left:
    """Copy what is in /tmp to where it outlasts a boot.

    :raises MachineError: the guest cannot be reached.
    """
    said = (await guest.ask("sh", "-c", LOOK, as_root=True, check=False)).stdout
    whole, script = f"{WHOLE}\n".encode(), f"{WITH_SCRIPT}\n".encode()
    rest = said.removeprefix(whole)
    return Left(
        is_whole=said.startswith(whole),
        deprovisioning=rest.removeprefix(script) if rest.startswith(script) else None,
    )


async def restore(guest: LinuxGuest) -> None:
    """Put back what ``save`` has copied.

    :raises MachineError: the guest cannot be reached, or its disk is full.
    """
    await guest.ask("sh", "-c", RESTORE, as_root=True)
