"""The deprovisioning script: in the guest before the first step, for a customizer may write another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmwright.guests.linux import LinuxGuest

SCRIPT = "/tmp/DeprovisioningScript.sh"  # noqa: S108 - the path is the service's contract

# The default command of Azure's template reference (2019-05 to 2021-02), with the look-up for images that
# keep the agent elsewhere.
DEFAULT = b"""\
#!/bin/sh
WAAGENT=/usr/sbin/waagent
command -v waagent >/dev/null && WAAGENT=waagent
$WAAGENT -force -deprovision+user && export HISTSIZE=0 && sync
"""

# Takes the script from its standard input. Written anew also where a customizer has written it, its mode and
# owner are known.
WRITE = f"rm -f {SCRIPT} && cat > {SCRIPT} && chmod 755 {SCRIPT} && chown {{user}}: {SCRIPT}"


async def write_script(guest: LinuxGuest, content: bytes = DEFAULT) -> None:
    """Put the deprovisioning script where the service puts it, owned by the build user."""
    await guest.ask("sh", "-c", WRITE.format(user=guest.user), as_root=True, stdin=content)


async def read_script(guest: LinuxGuest) -> bytes | None:
    """Return the deprovisioning script as it is now, None where it is gone."""
    return await guest.read(SCRIPT)
