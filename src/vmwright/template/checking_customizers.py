"""The rules over customizers and validators: scripts, files, and how they go together (reference §8)."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from vmwright.template.catalogue import Rule
from vmwright.template.checking_inline import check_lines
from vmwright.template.contract import reaches
from vmwright.template.family import WINDOWS_ONLY, is_for_windows, steps, windows_source
from vmwright.template.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vmwright.template.checked import Checked
    from vmwright.template.problems import Problem

TMP = "/tmp/"  # noqa: S108 - the only folder of a Linux guest that takes files (reference §8.3)
WINDOWS_PATH = re.compile(r"[A-Za-z]:[\\/]|\\\\")


def check_steps(properties: Checked, version: str) -> Iterator[Problem]:
    """Give what the rules find in the customizers and validators of one template."""
    yield from _names(properties.parts("customize"), version)
    both = steps(properties)
    kinds = {step.kind for step in both}
    yield from _mixed(both, kinds)
    source = windows_source(properties)
    for step in both:
        if source and step.kind == "Shell":
            message = f"Shell is for Linux, but the source is {source}."
            yield Rule.CUSTOMIZE_FOREIGN.at(step.at("type"), message, hint="PowerShell")
        if step.kind in {"Shell", "PowerShell"}:
            yield from _script(step)
        elif step.kind == "File":
            yield from _file(step, kinds, for_windows=is_for_windows(properties))
    validate = properties.part("validate")
    if validate and validate.flag("sourceValidationOnly") and properties.has("customize"):
        message = "Only the source is validated: the customizers have no effect."
        hint = "leave out `customize`, or `sourceValidationOnly`"
        yield Rule.VALIDATE_SOURCE.at(validate.at("sourceValidationOnly"), message, hint=hint)


def _mixed(customizers: Sequence[Checked], kinds: set[str]) -> Iterator[Problem]:
    if "Shell" not in kinds:
        return
    for customizer in customizers:
        kind = customizer.kind
        if kind in WINDOWS_ONLY:
            message = f"{kind} is for Windows, but the template also has Shell, which is for Linux."
            yield Rule.CUSTOMIZE_MIXED.at(
                customizer.at("type"), message, hint="keep the customizers of one guest"
            )
        elif kind == "PowerShell":
            message = "PowerShell and Shell stand together: only a Linux guest with PowerShell runs both."
            yield Rule.CUSTOMIZE_POWERSHELL.at(customizer.at("type"), message)


def _names(customizers: Sequence[Checked], version: str) -> Iterator[Problem]:
    # Azure's reference has dropped the rule since, and its own samples break it (reference §5.3).
    severity = Severity.NOTE if reaches(version, "2021-10-01") else Severity.WARNING
    first: dict[str, Checked] = {}
    for customizer in customizers:
        name = customizer.text("name")
        if name and first.setdefault(name, customizer) is not customizer:
            message = f"`{name}` is also the name of {first[name].place.path}."
            hint = "a name of its own tells the steps apart in the log"
            yield Rule.CUSTOMIZE_NAME.at(customizer.at("name"), message, hint=hint, severity=severity)


def _script(customizer: Checked) -> Iterator[Problem]:
    kind = customizer.kind
    has_uri, has_inline = customizer.has("scriptUri"), customizer.has("inline")
    unread = customizer.places.keys() - customizer.values.keys()
    if has_uri and has_inline:
        message = f"{kind} has both `scriptUri` and `inline`."
        yield Rule.SCRIPT_OR_INLINE.at(customizer.at("inline"), message, hint="keep one of them")
    # A script of the wrong kind has its own problem: it is there all the same.
    elif not has_uri and not has_inline and not {"scriptUri", "inline"} & unread:
        message = f"{kind} has neither `scriptUri` nor `inline`."
        yield Rule.SCRIPT_OR_INLINE.at(customizer.place, message, hint='add "inline": [ "..." ]')
    if has_inline and not has_uri and customizer.has("sha256Checksum"):
        message = "The checksum has no effect: the lines stand in the template."
        yield Rule.CHECKSUM_INLINE.at(customizer.at("sha256Checksum"), message, hint="leave it out")
    if customizer.flag("runAsSystem") and not customizer.flag("runElevated"):
        message = "`runAsSystem` is true, but `runElevated` is not."
        hint = 'add "runElevated": true'
        yield Rule.SYSTEM_ELEVATED.at(customizer.at("runAsSystem"), message, hint=hint)
    codes = customizer.numbers("validExitCodes")
    if codes and 0 not in codes:
        message = f"`validExitCodes` is {list(codes)}: a script that ends well (0) fails the build."
        yield Rule.EXIT_CODES.at(customizer.at("validExitCodes"), message, hint="add 0 if that is not meant")
    yield from check_lines(customizer)


def _file(customizer: Checked, kinds: set[str], *, for_windows: bool) -> Iterator[Problem]:
    if not customizer.known("destination"):
        return
    destination, place = customizer.text("destination"), customizer.at("destination")
    is_windows = WINDOWS_PATH.match(destination) is not None
    if not is_windows and not destination.startswith("/"):
        message = f"`destination` is `{destination}`, which is not absolute."
        yield Rule.FILE_RELATIVE.at(place, message, hint="such as /tmp/name or c:\\folder\\name")
        return
    if destination.endswith(("/", "\\")) or posixpath.normpath(destination) + "/" == TMP:
        message = f"`destination` is `{destination}`, a directory."
        yield Rule.FILE_DIRECTORY.at(place, message, hint="add the file's name")
        return
    if is_windows and "Shell" in kinds:
        message = f"`destination` is the Windows path `{destination}`, but Shell is for Linux."
        yield Rule.FILE_FOREIGN.at(place, message, hint=f"{TMP}name")
    if is_windows or for_windows:
        return
    if not posixpath.normpath(destination).startswith(TMP):
        message = f"`destination` is `{destination}`; on Linux a file goes below /tmp only."
        hint = "put it below /tmp and move it with `sudo mv` in a Shell customizer"
        yield Rule.FILE_OUTSIDE_TMP.at(place, message, hint=hint)
