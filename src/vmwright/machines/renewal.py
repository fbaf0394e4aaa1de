"""What is done in a guest before its memory is saved, and in each one that goes on from it.

Those who go on from one memory would be one and the same machine: same keys, same random numbers, a clock
that stands where it stood. One root command over the first connection puts that right, before anything of a
build is in the guest. The boot's id stays: there was one boot only.
"""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.errors import MachineError
from vmwright.machines.host_keys import HostKey, new_host_key

if TYPE_CHECKING:
    from vmwright.guests.linux import LinuxGuest
    from vmwright.machines.seed import Access

TIMERS = "/run/vmwright-timers"
CLOCK = "/sys/class/rtc/rtc0/since_epoch"
MOST_DELAY = 60
RESEED = "0x5207"  # RNDRESEEDCRNG of linux/random.h

# Prints which process serves the connection: it is in the saved memory, and its other end is not. Timers
# are stopped, for they would elapse all at once when the clock is set; free space is given back to the disk.
PREPARE = f"""\
set -e
timers=$(systemctl list-units --type=timer --state=active --plain --no-legend | cut -d' ' -f1)
echo $timers > {TIMERS}
if [ -n "$timers" ]; then systemctl stop $timers; fi
fstrim -a >/dev/null 2>&1 || true
sync
pid=$$
while [ "$pid" -gt 1 ]; do
    read -r name < "/proc/$pid/comm"
    case "$name" in sshd*) break ;; esac
    pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
done
echo "$pid"
"""

# $1: the user, $2: who served the connection before, $3: seconds since 1970, $4: host name, $5: machine id,
# $6 and $7: the old and the new key that open the guest.
# Standard input: random numbers in one line; then for each host key its type, its public half and the lines
# of the private one, with a dot in a line of its own at the end.
# Few programs are started, each takes long in an emulated guest; what nobody waits for is left to systemd.
# Without vmgenid's driver the kernel does not know that it is a copy, and is told to take the new numbers at
# once; perl, where there is one, starts ten times faster than python. The machine's clock (RTC) is right by
# now: where it is not in local time it is better than $3, older by what the way into a busy guest takes.
RENEW = f"""\
set -e
IFS= read -r numbers
printf %s "$numbers" > /dev/urandom
set -- "$@" /sys/bus/acpi/drivers/vmgenid/*:*
if [ ! -e "$8" ]; then
    perl -e 'open(F, ">", "/dev/urandom"); exit(ioctl(F, {RESEED}, 0) ? 0 : 1)' 2>/dev/null ||
        python3 -c 'import fcntl; fcntl.ioctl(open("/dev/urandom", "wb"), {RESEED})'
fi
now=$3
if [ -e {CLOCK} ]; then
    read -r clock < {CLOCK}
    if [ "$clock" -ge "$3" ] && [ "$clock" -le $(($3 + {MOST_DELAY})) ]; then now=$clock; fi
fi
date -s "@$now" >/dev/null
while read -r type public; do
    key=/etc/ssh/ssh_host_${{type}}_key
    [ -e "$key" ] || key=/dev/null
    while IFS= read -r line && [ "$line" != . ]; do printf '%s\n' "$line"; done > "$key"
    if [ "$key" != /dev/null ]; then printf '%s\n' "$public" > "$key.pub"; fi
done
eval "home=~$1"
for file in "$home/.ssh/authorized_keys" /root/.ssh/authorized_keys; do
    if [ -s "$file" ]; then sed -i "s|$6|$7|" "$file"; fi
done
grep -qF "$7" "$home/.ssh/authorized_keys"
read -r machine < /etc/machine-id
printf '%s\n' "$5" > /etc/machine-id
if [ -f /var/lib/dbus/machine-id ] && [ ! -L /var/lib/dbus/machine-id ]; then
    printf '%s\n' "$5" > /var/lib/dbus/machine-id
fi
if [ -d "/var/log/journal/$machine" ]; then mv "/var/log/journal/$machine" "/var/log/journal/$5"; fi
read -r name < /proc/sys/kernel/hostname
if [ "$name" != "$4" ]; then
    printf %s "$4" > /proc/sys/kernel/hostname
    if [ -e /etc/hostname ]; then printf '%s\n' "$4" > /etc/hostname; fi
fi
if [ "$2" -gt 1 ]; then kill "$2" 2>/dev/null || true; fi
if read -r server < /run/sshd.pid; then
    kill -HUP "$server"
else
    systemctl try-reload-or-restart ssh.service sshd.service || true
fi 2>/dev/null
(
    touch -c /var/lib/systemd/timers/stamp-*
    read -r timers < {TIMERS}
    rm {TIMERS}
    systemctl --no-block restart systemd-journald.service
    if [ -n "$timers" ]; then systemctl --no-block start $timers; fi
) </dev/null >/dev/null 2>&1 &
read -r boot < /proc/sys/kernel/random/boot_id
echo "$boot"
"""


async def prepare(guest: LinuxGuest) -> int:
    """Make a guest ready to be saved; return the process in it that serves this connection.

    :raises MachineError: it cannot be made ready.
    """
    return int(await _run(guest, "could not be made ready for a memory snapshot", PREPARE))


@dataclass(frozen=True, slots=True)
class NewKeys:
    """The keys that a guest is to have: those that open it and show who it is, and its other host keys."""

    access: Access
    others: tuple[HostKey, ...]

    @property
    def host_keys(self) -> str:
        """All host keys, as ``RENEW`` reads them."""
        shown = self.access.host_key
        own = HostKey("ed25519", shown.export_private_key(), shown.export_public_key())
        return "".join(map(_lines, (own, *self.others)))


def new_keys(access: Access) -> NewKeys:
    """Make the other host keys of a guest; takes a moment."""
    return NewKeys(access, (new_host_key("rsa"), new_host_key("ecdsa")))


async def renew(guest: LinuxGuest, *, hostname: str, session: int, old: Access, new: NewKeys) -> str:
    """Make a guest that goes on from a saved memory a machine of its own; return what names its boot.

    :param session: what ``prepare`` gave.
    :param old: the keys that it has; ``new``: those that it is to have. This connection goes on.
    :raises MachineError: it cannot be done, and the guest must not be used.
    """
    return await _run(
        guest,
        "could not be given an identity of its own",
        RENEW,
        guest.user,
        str(session),
        f"{time.time():.0f}",
        hostname,
        uuid.uuid4().hex,
        _bare(old),
        _bare(new.access),
        stdin=f"{secrets.token_hex(64)}\n{new.host_keys}".encode(),
    )


def _lines(key: HostKey) -> str:
    public, private = (data.decode().strip() for data in (key.public, key.private))
    return f"{key.kind} {public}\n{private}\n.\n"


def _bare(access: Access) -> str:
    """Return the key that opens the guest in base64, without its type and comment."""
    return access.authorized_key.split()[1]


async def _run(guest: LinuxGuest, failed: str, script: str, *arguments: str, stdin: bytes = b"") -> str:
    ended = await guest.ask("sh", "-c", script, "sh", *arguments, as_root=True, check=False, stdin=stdin)
    if ended.exit_code != 0:
        said = ended.stderr.decode(errors="replace").strip()
        raise MachineError(f"The guest {failed} (exit code {ended.exit_code}): {said}")
    return ended.stdout.decode(errors="replace").strip()
