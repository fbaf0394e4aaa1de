"""Reading single files of the file systems of a disk: by debugfs and mtools inside a raw view, or mounted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vmwright.artifacts.foreign_tree import reached
from vmwright.process import run

if TYPE_CHECKING:
    from vmwright.disks.partitions import Partition

QUICK = 60.0
MOST_BYTES = 16 << 20
NAME_FIELD = 5  # of what debugfs prints of a folder


class LinuxFiles(Protocol):
    """The files of a Linux root, by absolute paths inside it."""

    async def read(self, path: str) -> bytes:
        """Return a file's bytes; empty where there is none."""
        ...

    async def exists(self, path: str) -> bool:
        """Return whether there is anything of this name."""
        ...

    async def names(self, path: str) -> tuple[str, ...]:
        """Return the names in a folder, sorted; none where there is none."""
        ...


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

    async def names(self, path: str) -> tuple[str, ...]:
        """Return the names in a folder, sorted; none where there is none."""
        # a line each: /inode/mode/owner/group/name/size/
        lines = (await self._ask(f'ls -p "{path}"')).decode(errors="replace").splitlines()
        fields = (line.split("/") for line in lines)
        return tuple(
            sorted(
                each[NAME_FIELD]
                for each in fields
                if len(each) > NAME_FIELD and each[NAME_FIELD] not in {".", ".."}
            )
        )

    async def _ask(self, request: str) -> bytes:
        argv = ["debugfs", "-R", request, self._place]
        ended = await run(argv, timeout=QUICK, check=False, hint="install e2fsprogs")
        return ended.stdout


class MountedFiles:
    """The files of a foreign root that is mounted at ``root``.

    Its symbolic links are followed as the guest would: none leads out of ``root`` to this host's files. Of
    file types that opening could set going (pipes, devices) nothing is read.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    async def read(self, path: str) -> bytes:
        """Return a file's bytes, the first 16 MiB at most; empty where there is none."""
        return await asyncio.to_thread(self._read, path)

    async def exists(self, path: str) -> bool:
        """Return whether there is anything of this name."""
        return await asyncio.to_thread(self._exists, path)

    async def names(self, path: str) -> tuple[str, ...]:
        """Return the names in a folder, sorted; none where there is none."""
        return await asyncio.to_thread(self._names, path)

    def _read(self, path: str) -> bytes:
        with contextlib.suppress(OSError), reached(self._root, path, follow_last=True) as found:
            if stat.S_ISREG(os.fstat(found).st_mode):
                with Path(f"/proc/self/fd/{found}").open("rb") as file:
                    return file.read(MOST_BYTES)
        return b""

    def _exists(self, path: str) -> bool:
        with contextlib.suppress(OSError), reached(self._root, path, follow_last=False):
            return True
        return False

    def _names(self, path: str) -> tuple[str, ...]:
        with contextlib.suppress(OSError), reached(self._root, path, follow_last=True) as found:
            return tuple(sorted(each.name for each in Path(f"/proc/self/fd/{found}").iterdir()))
        return ()


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
