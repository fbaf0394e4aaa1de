"""Partition tables and the file systems on a raw view of a disk; nothing is mounted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from vmwright.errors import SourceError
from vmwright.process import run

if TYPE_CHECKING:
    from pathlib import Path

QUICK = 60.0

BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LINUX_ROOT_X86_64 = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
MBR_ESP = "EF"
MBR_PRIMARIES = 4


class TableLabel(StrEnum):
    """The two kinds of partition tables, by sfdisk's names."""

    GPT = "gpt"
    MBR = "dos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One partition: its number, where it lies (bytes), its type (a GUID, or hexadecimal without 0x)."""

    number: int
    start: int
    size: int
    type: str

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.start + self.size

    @property
    def is_esp(self) -> bool:
        """Whether UEFI looks for boot loaders here."""
        return self.type in {ESP, MBR_ESP}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionTable:
    """A partition table; ``usable_end`` is the first byte behind what its partitions may take."""

    label: TableLabel
    sector_size: int
    usable_end: int
    partitions: tuple[Partition, ...]

    @property
    def esp(self) -> Partition | None:
        """The EFI system partition."""
        return next((part for part in self.partitions if part.is_esp), None)

    @property
    def bios_boot(self) -> Partition | None:
        """The partition that holds GRUB's core on a GPT disk booted by BIOS."""
        return next((part for part in self.partitions if part.type == BIOS_BOOT), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """What blkid finds in a partition: ``type`` as for mount (or LVM2_member, crypto_LUKS ...), its UUID."""

    type: str
    uuid: str = ""


async def read_table(raw: Path) -> PartitionTable:
    """Read the partition table of a raw disk.

    :raises SourceError: it has none.
    """
    ended = await run(["sfdisk", "--json", raw], timeout=QUICK, check=False, hint="install fdisk")
    if ended.returncode != 0:
        raise SourceError(
            f"{raw.name} has no partition table",
            target=str(raw),
            hint="a source is a whole disk that boots, not the file system of one",
        )
    table = json.loads(ended.stdout)["partitiontable"]
    sector = int(table.get("sectorsize", 512))
    label = TableLabel(table["label"])
    last = int(table["lastlba"]) + 1 if label is TableLabel.GPT else raw.stat().st_size // sector
    return PartitionTable(
        label=label,
        sector_size=sector,
        usable_end=last * sector,
        partitions=tuple(
            Partition(
                number=int(item["node"].removeprefix(table["device"]).removeprefix("p")),
                start=int(item["start"]) * sector,
                size=int(item["size"]) * sector,
                type=item["type"].upper(),
            )
            for item in table.get("partitions", [])
        ),
    )


async def probe(raw: Path, partition: Partition) -> FileSystem | None:
    """Return what a partition holds, by its signature (LVM and LUKS have one too); None for nothing known."""
    ended = await run(
        ["blkid", "-p", "-O", str(partition.start), "-S", str(partition.size), "-o", "export", raw],
        timeout=QUICK,
        check=False,
        hint="install util-linux",
    )
    if ended.returncode != 0:
        return None
    found = dict(line.split("=", 1) for line in ended.text.splitlines() if "=" in line)
    return FileSystem(type=found["TYPE"], uuid=found.get("UUID", "")) if "TYPE" in found else None
