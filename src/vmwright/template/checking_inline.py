"""A look at the lines of a script that stands in the template: what will go wrong, what should not be there.

Only what is wrong nearly always is named, and never as an error: a shell is too rich to be judged here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmwright.template.catalogue import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.template.checked import Checked
    from vmwright.template.problems import Place, Problem

# Every repetition is bounded: lines come from strangers, and a pattern must not take quadratic time.
COMMAND = r"(?:^|[;&|(]|\bthen\b|\bdo\b)\s*(?:sudo\s+(?:-\S{1,40}\s+){0,5})?(?:\w{1,40}=\S{0,99}\s+){0,5}"
INSTALLS = re.compile(COMMAND + r"(?P<tool>apt-get|apt|yum|dnf|zypper)\s(?P<rest>[^;&|]*)")
VERBS = re.compile(
    r"(?:^|\s)(install|upgrade|dist-upgrade|full-upgrade|remove|purge|autoremove|update)(?:\s|$)"
)
SAYS_YES = re.compile(
    r"(?:^|\s)(?:-[a-zA-Z]*y[a-zA-Z]*|-qq+|--yes|--assume-yes|--assumeyes|--non-interactive|-n)(?:\s|=|$)"
)
ANSWERED = re.compile(r"\byes\b[^|]{0,80}\|")
REBOOTS = re.compile(COMMAND + r"(?:reboot|shutdown\s+(?:\S+\s+){0,5}?-r|systemctl\s+reboot|init\s+6)\b")
DEPROVISIONS = re.compile(r"\bwaagent\b.{0,200}-deprovision")
SECRETS = re.compile(
    r"""(?ix)
    (?<![a-z0-9])(?:password|passwd|pwd|secret|api_?key|access_?key|account_?key|token)
        (?: =["']?[^\s"'$`(;&|]{4,} | \s*[=:]\s*["'][^"'$`]{4,}["'] )
    | --?password[\ =]["']?[^\s"'$`;&|-][^\s"'$`;&|]{3,}
    | [?&]sig=[^&\s"'$]{16,}
    | -----BEGIN\ (?:\w+\ )*PRIVATE\ KEY-----
    """
)


def check_lines(customizer: Checked) -> Iterator[Problem]:
    """Give what stands out in the ``inline`` lines of one customizer."""
    lines = customizer.texts("inline")
    for index, line in enumerate(lines):
        place = customizer.at(f"inline[{index}]")
        if SECRETS.search(line):
            message = "The line looks as if it held a secret: everybody who reads the template reads it."
            hint = "keep it in a file that the script reads, or behind an identity"
            yield Rule.INLINE_SECRET.at(place, message, hint=hint)
        if customizer.kind == "Shell":
            yield from _shell_line(line, place)


def _shell_line(line: str, place: Place) -> Iterator[Problem]:
    if "\r" in line:
        message = "The line holds a carriage return, which the shell takes as part of the last word."
        yield Rule.INLINE_CR.at(place, message, hint="leave out \\r")
    if line.lstrip().startswith("#"):
        return
    for found in () if ANSWERED.search(line) else INSTALLS.finditer(line):
        if verb := _asking(found["tool"], found["rest"]):
            message = f"`{found['tool']} {verb}` asks for a yes, and nobody is there to give it."
            yield Rule.INLINE_WAITS.at(place, message, hint=f"add -y to {found['tool']}")
    if REBOOTS.search(line):
        message = (
            "The line restarts the guest: Azure has no restart for Linux, and the step mostly fails there."
        )
        hint = "a build here waits for the guest; where Azure builds, leave the restart to the first boot"
        yield Rule.INLINE_REBOOT.at(place, message, hint=hint)
    if DEPROVISIONS.search(line) and "DeprovisioningScript" not in line:
        message = "The build deprovisions the guest itself after the last step."
        hint = "leave it out, or write /tmp/DeprovisioningScript.sh to have other commands"
        yield Rule.INLINE_DEPROVISION.at(place, message, hint=hint)


def _asking(tool: str, rest: str) -> str:
    """Return the verb that asks for a yes, "" if none does."""
    verb = VERBS.search(rest)
    if verb is None or SAYS_YES.search(rest):
        return ""
    # apt's update only fetches lists; that of yum and dnf installs.
    return "" if verb[1] == "update" and tool in {"apt", "apt-get"} else verb[1]
