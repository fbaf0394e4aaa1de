"""The build user of a Linux guest: made for a build, and removed so that no trace of it stays.

Works on every distribution with shadow-utils and sudo, over any transport. Everything is one root command:
once the user is gone, a transport that logs in as that user cannot come back.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from vmwright.errors import MachineError

if TYPE_CHECKING:
    from vmwright.guests.linux import LinuxGuest

EXISTS = 9

# $1: the user. The file in sudoers.d also says whose user it is: after a resumed build there is one already.
CREATE = rf"""
set -e
rule=/etc/sudoers.d/90-vmwright
if ! command -v sudo >/dev/null 2>&1 || [ ! -d /etc/sudoers.d ]; then
    echo 'sudo is not installed' >&2
    exit 1
fi
if [ -e "$rule" ] && id "$1" >/dev/null 2>&1; then exit 0; fi
if id "$1" >/dev/null 2>&1; then exit {EXISTS}; fi
useradd --create-home --shell /bin/bash "$1"
umask 0337
printf '%s ALL=(ALL) NOPASSWD:ALL\n' "$1" > "$rule"
"""

# $1: the user, who may be gone already: waagent removes the one that Azure provisioned. userdel removes the
# home, the mail spool and the subordinate ids; --force because the user may be logged in to run this.
# cloud-init's file goes with the last rule in it. The backups that shadow-utils keep beside each file still
# have the user: they become copies of the files as they are now.
REMOVE = r"""
set -e
uid=$(id -u "$1" 2>/dev/null || true)
group=$(id -gn "$1" 2>/dev/null || echo "$1")
if [ -n "$uid" ]; then userdel --force --remove "$1" 2>/dev/null || ! id "$1" >/dev/null 2>&1; fi
if grep -q "^$group:[^:]*:[^:]*:$" /etc/group && [ "$group" = "$1" ]; then groupdel "$group"; fi
for file in /etc/subuid /etc/subgid; do
    if [ -e "$file" ]; then sed -i "/^$1:/d" "$file"; fi
done
rule=/etc/sudoers.d/90-cloud-init-users
if [ -e "$rule" ]; then
    sed -i -e "/^# User rules for $1\$/d" -e "/^$1[[:space:]]/d" "$rule"
    grep -q '^[^#[:space:]]' "$rule" || rm -f "$rule"
fi
for file in passwd group shadow gshadow subuid subgid; do
    if [ -e "/etc/$file-" ]; then cp -a "/etc/$file" "/etc/$file-"; fi
done
set -- "$1" "${uid:-$1}"
rm -rf /etc/sudoers.d/90-vmwright "/home/$1" "/var/mail/$1" "/var/spool/mail/$1" \
    "/var/spool/cron/crontabs/$1" "/var/spool/cron/$1" "/var/lib/systemd/linger/$1" \
    "/var/lib/sudo/lectured/$1" "/var/lib/sudo/lectured/$2" \
    "/var/db/sudo/lectured/$1" "/var/db/sudo/lectured/$2"
"""


async def create_build_user(guest: LinuxGuest) -> None:
    """Make the build user (``guest.user``): unprivileged, locked password, password-less sudo.

    Does nothing where an earlier start of this build has made it (a resumed build).

    :raises MachineError: the image has a user of this name, or no sudo.
    """
    ended = await guest.ask("sh", "-c", CREATE, "sh", guest.user, as_root=True, check=False)
    if ended.exit_code == EXISTS:
        raise MachineError(
            f"The source has a user named {guest.user}, which the build would remove at its end",
            hint="remove that user from the source",
        )
    if ended.exit_code != 0:
        said = ended.stderr.decode(errors="replace").strip()
        raise MachineError(f"The build user {guest.user} cannot be made in the guest: {said}")


def removal_of(user: str) -> str:
    """Return the command, for root, that removes the build user with all that names it; logs are not touched.

    It must be in the last command line that a build runs in the guest as that user.
    """
    return shlex.join(["sh", "-c", REMOVE, "sh", user])
