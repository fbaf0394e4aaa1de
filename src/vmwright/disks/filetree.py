"""Reading single files of file systems inside a raw view, by debugfs and mtools; nothing is mounted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.process import run

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.disks.partitions import Partition

QUICK = 60.0


class ExtFiles:
    """The files of an ext2, ext3 or ext4."""

    def __init__(self, raw: Path, partition: Partition) -> None:
        self._place = f"{raw}?offset={partition.start}"

    async def read(self, path: str) -> bytes:
        """Return a file's bytes; empty where there is none. A symbolic link at the end is not followed."""
        return await self._ask(f'cat "{path}"')

    async def exists(self, path: str) -> bool:
        """Return whether there is anything of this name."""
        return b"Inode:" in await self._ask(f'stat "{path}"')

    async def _ask(self, request: str) -> bytes:
        argv = ["debugfs", "-R", request, self._place]
        ended = await run(argv, timeout=QUICK, check=False, hint="install e2fsprogs")
        return ended.stdout


class FatFiles:
    """The files of a FAT, as in an EFI system partition."""

    def __init__(self, raw: Path, partition: Partition) -> None:
        self._place = f"{raw}@@{partition.start}"

    async def exists(self, path: str) -> bool:
        """Return whether there is a file of this name (in any case)."""
        argv = ["mdir", "-b", "-i", self._place, f"::{path}"]
        ended = await run(
            argv, timeout=QUICK, check=False, env={"MTOOLS_SKIP_CHECK": "1"}, hint="install mtools"
        )
        return ended.returncode == 0
