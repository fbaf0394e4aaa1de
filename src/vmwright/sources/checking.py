"""What a template asks of its source, checked once the source is known and before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.errors import TemplateError
from vmwright.template.model import OsType, PowerShell, Shell, WindowsRestart, WindowsUpdate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.artifacts.facts import ImageFacts
    from vmwright.template.model import Template

GIB = 1 << 30
SIZE_PATH = "properties.vmProfile.osDiskSizeGB"
UNFIT = {OsType.LINUX: (PowerShell, WindowsRestart, WindowsUpdate), OsType.WINDOWS: (Shell,)}


def check_against(template: Template, facts: ImageFacts) -> None:
    """Check that the source can be what the template makes of it (reference §5.3).

    :raises TemplateError: with every problem, each with its JSON path; ``target`` is the first one's.
    """
    problems = list(_problems(template, facts))
    if problems:
        raise TemplateError(
            "\n".join(f"{path}: {text}" for path, text in problems),
            target=problems[0][0],
            hint=f"the source is {facts.os_name} ({facts.os_type}) on a disk of {_needed(facts)} GB",
        )


def _problems(template: Template, facts: ImageFacts) -> Iterator[tuple[str, str]]:
    size = template.vm_profile.os_disk_size_gb
    if size and size * GIB < facts.size_bytes:
        yield (
            SIZE_PATH,
            f"{size} GB is smaller than the source's disk; use {_needed(facts)} or more, or 0 for its size",
        )
    for steps, code in (
        (template.customize, "UnsupportedCustomizerType"),
        (template.in_vm_validations, "UnsupportedValidatorType"),
    ):
        for step in steps:
            if isinstance(step, UNFIT[facts.os_type]):
                yield step.path, f"{code}: {step.kind} does not run on a {facts.os_type} source"


def _needed(facts: ImageFacts) -> int:
    return -(-facts.size_bytes // GIB)
