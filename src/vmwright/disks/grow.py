"""After a disk became larger: let its root partition, then an ext4 in it, take the new space.

The partition grows in a raw file (or the raw FUSE view of a qcow2), without privileges. The file system grows
on a block device of its own, a loop over the partition: ``resize2fs FILE?offset=N`` would need none, but it
cuts the file to the size of the file system, and with it the end of the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.disks.partitions import (
    MBR_PRIMARIES,
    FileSystem,
    Partition,
    PartitionTable,
    TableLabel,
    probe,
    read_table,
)
from vmwright.errors import SourceError, UnsupportedError
from vmwright.process import failure, run

if TYPE_CHECKING:
    from pathlib import Path

QUICK = 60.0
LONG = 3600.0
SFDISK = ("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel")
ALIGNMENT = 1 << 20
MBR_LIMIT = 512 << 32  # 2^32 sectors
EXT = frozenset({"ext2", "ext3", "ext4"})
GROWS_MOUNTED = frozenset({"xfs", "btrfs"})
REPAIRED = 1  # e2fsck's exit code when it has put things right (a journal left by a snapshot, for one)


async def grow_partition(raw: Path, root: Partition | None = None) -> tuple[Partition, FileSystem]:
    """Let the root partition take the free space behind it; return it, and what it holds, ungrown.

    An xfs or btrfs grows afterwards, mounted (``xfs_growfs``, ``btrfs filesystem resize max``).

    :param raw: a raw disk that may be written and is mounted nowhere.
    :param root: the partition; without it, the last on the disk.
    :raises UnsupportedError: the layout cannot be grown (LVM, encryption, another partition in the way);
        nothing is changed then but the place of the backup GPT.
    """
    table = await _with_backup_at_end(raw)
    if not table.partitions:
        raise SourceError(f"{raw.name} has no partitions", target=str(raw))
    root = root or max(table.partitions, key=lambda part: part.start)
    system = await probe(raw, root)
    if system is None or system.type not in EXT | GROWS_MOUNTED:
        held = system.type if system else "nothing known"
        raise UnsupportedError(
            f"Partition {root.number} of {raw.name} holds {held}, which vmwright cannot grow",
            target=str(raw),
            hint="leave osDiskSizeGB out, or grow it with a Shell customizer",
        )
    if _end_for_root(table) - root.end < ALIGNMENT:
        return root, system
    _refuse_neighbours(raw, table, root)
    await run([*SFDISK, "-N", str(root.number), raw], stdin=b", +\n", timeout=QUICK)
    number, table = root.number, await read_table(raw)
    return next(part for part in table.partitions if part.number == number), system


async def _with_backup_at_end(raw: Path) -> PartitionTable:
    """Put the second copy of a GPT back to the end of the disk; without that, no partition may grow."""
    table = await read_table(raw)
    if table.label is TableLabel.MBR:
        return table
    await run([*SFDISK, "--relocate", "gpt-bak-std", raw], timeout=QUICK)
    return await read_table(raw)


def _end_for_root(table: PartitionTable) -> int:
    return min(table.usable_end, MBR_LIMIT) if table.label is TableLabel.MBR else table.usable_end


def _refuse_neighbours(raw: Path, table: PartitionTable, root: Partition) -> None:
    logical = table.label is TableLabel.MBR and root.number > MBR_PRIMARIES
    behind = next((part for part in table.partitions if part.start >= root.end), None)
    if behind is None and not logical:
        return
    what = (
        "is a logical partition" if logical or behind is None else f"has partition {behind.number} behind it"
    )
    raise UnsupportedError(
        f"The root partition {root.number} of {raw.name} {what}: it cannot take the new space",
        target=str(raw),
        hint="leave osDiskSizeGB out, or use a source whose root partition is the last one",
    )


async def grow_ext(device: str) -> None:
    """Let an ext2, ext3 or ext4 that is not mounted fill its block device.

    :raises ProcessError: it is damaged.
    """
    checked = await run(["e2fsck", "-f", "-p", device], timeout=LONG, check=False, hint="install e2fsprogs")
    if checked.returncode > REPAIRED:
        raise failure(checked, hint="the root file system of the source is damaged")
    await run(["resize2fs", device], timeout=LONG)
