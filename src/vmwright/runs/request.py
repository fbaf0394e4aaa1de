"""What a user asks for: a template, and how it is to be built here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.settings import MachineChoice
from vmwright.template.model import Vhd

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.template.model import Template

DEFAULT_FORMAT = "vhd"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What a user asks for.

    :param name: names the template; part of resource ids and of file names.
    :param out: the user's folder for the files, or None to keep them in $VMWRIGHT_HOME.
    :param formats: disk formats to put into ``out`` besides what the template distributes.
    :param sums: whether VHDs and raw disks get a SHA-256 of the whole file, beside those of their pieces.
    :param makes_galleries: whether a gallery or an image definition that is not there is made; in Azure
        both must exist.
    :param secrets: values of the template that nobody may read in a log, beside those in its addresses.
    :param template_id: the resource id of a template of the service; it tells templates of one name apart.
    :param uses_cache: whether steps are taken from the cache, and kept for later builds.
    :param refresh_from: the first step that is run again although the cache may have it.
    """

    template: Template
    name: str
    machine: MachineChoice = MachineChoice.AUTO
    out: Path | None = None
    formats: tuple[str, ...] = ()
    sums: bool = False
    makes_galleries: bool = True
    secrets: tuple[str, ...] = ()
    template_id: str | None = None
    uses_cache: bool = False
    refresh_from: int | None = None

    @property
    def key(self) -> str:
        """What names the template among all: its resource id or its name, in lower case."""
        return (self.template_id or self.name).lower()

    @property
    def step_count(self) -> int:
        """How many steps the build has: its customizers and its validations are numbered through."""
        return len(self.template.customize) + len(self.template.in_vm_validations)

    @property
    def more_formats(self) -> tuple[str, ...]:
        """The formats to write beside what the template distributes: ``out`` never stays empty."""
        if self.out is None:
            return ()
        has_vhd = any(isinstance(distributor, Vhd) for distributor in self.template.distribute)
        if not self.formats and not has_vhd:
            return (DEFAULT_FORMAT,)
        return tuple(ending for ending in self.formats if not (has_vhd and ending == DEFAULT_FORMAT))

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of all that the build makes of its image, in their order."""
        names = [one.run_output_name for one in self.template.distribute]
        return (*names, *map(self.file_name, self.more_formats))

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """The name and the format (vhd, qcow2, raw) of each file that the build makes, in their order."""
        vhds = [one.run_output_name for one in self.template.distribute if isinstance(one, Vhd)]
        return (
            *((f"{name}.{DEFAULT_FORMAT}", DEFAULT_FORMAT) for name in vhds),
            *((self.file_name(ending), ending) for ending in self.more_formats),
        )

    def file_name(self, ending: str) -> str:
        """Return the name of a further file."""
        return f"{self.name}.{ending}"
