"""Which family of guests a template is for, as far as it says so itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmwright.template.checked import Checked

WINDOWS_ONLY = frozenset({"WindowsRestart", "WindowsUpdate"})
WINDOWS_KINDS = WINDOWS_ONLY | {"PowerShell"}
WINDOWS_PUBLISHERS = ("microsoftwindows", "microsoftvisualstudio")


def steps(properties: Checked) -> tuple[Checked, ...]:
    """Return the customizers and, after them, the validators."""
    validate = properties.part("validate")
    return properties.parts("customize") + (validate.parts("inVMValidations") if validate else ())


def windows_source(properties: Checked) -> str:
    """Return the source's publisher:offer:sku:version where that is a Windows, otherwise ""."""
    source = properties.part("source")
    if source is None or source.shape.name != "PlatformImage":
        return ""
    names = [source.text(name) for name in ("publisher", "offer", "sku", "version")]
    of_windows = names[0].casefold().startswith(WINDOWS_PUBLISHERS) or "windows" in names[1].casefold()
    return ":".join(names) if of_windows else ""


def windows_kinds(properties: Checked) -> tuple[str, ...]:
    """Return the kinds of steps that are for Windows, each once; none beside Shell, which is for Linux."""
    kinds = [step.kind for step in steps(properties)]
    if "Shell" in kinds:
        return ()
    return tuple(dict.fromkeys(kind for kind in kinds if kind in WINDOWS_KINDS))


def is_for_windows(properties: Checked) -> bool:
    """Tell whether the template is for a Windows guest, by its source or its steps."""
    return bool(windows_source(properties) or windows_kinds(properties))
