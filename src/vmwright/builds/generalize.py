"""Generalize: the last, hidden step of every build (reference §10).

A deprovisioning script is put into the guest before the customizers run, so that one of them may replace
it; at the end it is printed to the log and run as root. What it leaves of this build (the build user, what
cloud-init made of the seed or the DVD) is removed in the same command: ``waagent`` removes the user that
Azure provisioned, after which that user cannot become root once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.builds.deprovisioning import DEFAULT, SCRIPT, WRITE
from vmwright.builds.leftovers import PLACE
from vmwright.customizers.customizer import run_streamed
from vmwright.disks.provisioned_by import CONFIGURATION, FOLDER, WAAGENT, provisioned_by
from vmwright.errors import MachineError, StepError
from vmwright.events import Output
from vmwright.guests.build_user import removal_of

if TYPE_CHECKING:
    from vmwright.artifacts.facts import Provisioning
    from vmwright.events import Events
    from vmwright.guests.linux import LinuxGuest

# What `waagent -deprovision` does to an image, for images that have no agent.
EQUIVALENT = b"""\
#!/bin/sh -e
rm -f /etc/ssh/ssh_host_*key* /root/.bash_history /etc/resolv.conf
rm -rf /var/lib/dhcp/* /var/lib/dhclient/* /var/lib/dhcpcd/* /var/lib/NetworkManager/*.lease
usermod -p '*' root
export HISTSIZE=0
sync
"""

# Left by the first boot of the build machine: a clone must make its own. cloud-init takes as long as waagent.
CLOUD_INIT = """\
if command -v cloud-init >/dev/null 2>&1; then
    cloud-init clean
    rm -rf /var/log/cloud-init*.log /run/cloud-init
    rm -f /etc/netplan/50-cloud-init.yaml /etc/network/interfaces.d/50-cloud-init
    rm -f /etc/systemd/network/10-cloud-init-*.network
    rm -rf /var/tmp/cloud-init
    # on Azure cloud-init gives root the key too, with a command that refuses
    sed -i '/@vmwright$/d' /root/.ssh/authorized_keys 2>/dev/null || true
    find /root/.ssh -maxdepth 1 -name authorized_keys -empty -delete 2>/dev/null || true
    rmdir /var/lib/cloud/seed /var/lib/cloud 2>/dev/null || true
fi
"""
FIRST_BOOT = f"""\
rm -rf /var/lib/waagent/ovf-env.xml /var/lib/waagent/provisioned /tmp/script_*.sh {SCRIPT} {PLACE}
test -x /usr/sbin/waagent || rmdir /var/lib/waagent 2>/dev/null || true
# written when its service stops: the clones of an image must not begin with the same numbers
systemctl stop systemd-random-seed.service 2>/dev/null || true
rm -f /var/lib/systemd/random-seed
: > /etc/machine-id
"""

# A shutdown waits for it, for seconds where it is emulated; now it stops beside the script.
UPGRADES = "systemctl --no-block stop unattended-upgrades.service"

# Exits with the script's exit code, or with NOT_CLEANED. CLOUD_INIT goes beside a script that is known, else
# behind it. A virtual machine gives back to the disk what no file has any more; a container may not. At the
# end this disk alone is flushed: others of the host may have much to write.
NOT_CLEANED = 251
ALL = f"""\
cd /
{UPGRADES} >/dev/null 2>&1 &
{WRITE} || exit $?
{{beside}}
{SCRIPT} < /dev/null || exit $?
{{behind}}
( {FIRST_BOOT} ) >/dev/null &
{{removal}} >/dev/null || exit {NOT_CLEANED}
wait
fstrim -a >/dev/null 2>&1 || true
sync --file-system / 2>/dev/null || sync
"""

HAS_AGENT = " || ".join(["command -v waagent", *(f"test -x {path}" for path in WAAGENT)])
# A line for each agent, an empty one, then cloud-init's configuration.
ASK_AGENTS = f"""\
echo agents:
if {{ {HAS_AGENT}; }} >/dev/null; then echo waagent; fi
if command -v cloud-init >/dev/null; then echo cloud-init; fi
echo
cat {CONFIGURATION} {FOLDER}/*.cfg 2>/dev/null
true
"""

MISSING = (
    f"Deprovisioning script [{SCRIPT}] could not be found. Image build may fail or the VM created from the "
    "Image may not boot. Please make sure the deprovisioning script is not accidentally deleted by a "
    "Customizer in the Template."
)


@dataclass(frozen=True, slots=True)
class Agents:
    """What a guest has that provisions it as an image."""

    has_waagent: bool
    provisioning: Provisioning


async def generalize(guest: LinuxGuest, events: Events, agents: Agents, *, script: bytes | None) -> None:
    """Run the deprovisioning script, then remove what this build left of itself.

    :param script: the one that the steps have left, None where they removed it.
    :raises StepError: the script failed.
    """
    if script is None:
        events.warn(f"{MISSING} The default command is run in its place.")
        script = DEFAULT
    if script == DEFAULT and not agents.has_waagent:
        events.warn(
            "The image has no waagent: its host keys, leases and root password are removed without it"
        )
        script = EQUIVALENT
    for line in script.decode(errors="replace").splitlines():
        events.say(Output(line=line))
    cloud_init = f"( {CLOUD_INIT} ) >/dev/null &"
    beside, behind = (cloud_init, "") if script in {DEFAULT, EQUIVALENT} else ("", cloud_init)
    removal = removal_of(guest.user)
    command = ALL.format(user=guest.user, removal=removal, beside=beside, behind=behind)
    result = await run_streamed(command, guest, events, as_root=True, stdin=script)
    said = "\n".join(result.last_lines)
    if result.exit_code == NOT_CLEANED:
        raise MachineError(f"The build user {guest.user} cannot be removed from the guest:\n{said}")
    if not result.succeeded:
        raise StepError(
            f"The deprovisioning script failed with exit code {result.exit_code}:\n{said}",
            target=SCRIPT,
            hint="a customizer may write its own commands to this file; they run as root at the end",
        )


async def agents_of(guest: LinuxGuest) -> Agents:
    """Say from what a guest will be provisioned as an image: a step may have added or removed an agent."""
    asked = await guest.ask("sh", "-c", ASK_AGENTS, as_root=True)
    found, _, configuration = asked.stdout.decode(errors="replace").partition("\n\n")
    agents = found.split()
    return Agents(
        has_waagent="waagent" in agents,
        provisioning=provisioned_by(
            has_waagent="waagent" in agents,
            has_cloud_init="cloud-init" in agents,
            configuration=[configuration],
        ),
    )
