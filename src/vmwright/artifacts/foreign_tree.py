"""A foreign file tree on this host (a mounted disk's, a container's), seen as its guest sees it.

Links in it lead to where they lead inside it. The kernel would let them lead to this host's own files, so it
is never given a path of more than one name, nor a name to follow.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader

MOST_BYTES = 64 << 20
MOST_LINKS = 40


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells that a name still has the same file with the same contents.

    Whoever writes to a file changes its ``changed`` (nanoseconds); a container cannot set that back.
    """

    device: int
    inode: int
    size: int
    changed: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp of a file."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class ForeignTree:
    """The tree below ``root``, itself no link; paths in it are absolute, as the guest names them.

    All calls block.
    """

    root: Path | str

    @classmethod
    def of_process(cls, pid: int) -> Self:
        """Return the tree that a process sees, with what is mounted there for it."""
        return cls(f"/proc/{pid}/root/.")

    def read(self, path: str) -> bytes:
        """Return what a regular file holds.

        :raises OSError: it is not there, is no regular file, or is larger than 64 MiB.
        """
        with self.opened(path) as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return data

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[BufferedReader]:
        """Hold a regular file open for reading while the block runs.

        :raises OSError: it is not there, or no regular file.
        """
        with reached(self.root, path, follow_last=True) as found:
            if not stat.S_ISREG(os.fstat(found).st_mode):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
            with Path(f"/proc/self/fd/{found}").open("rb") as file:
                yield file

    def stamp(self, path: str, *, follow: bool = True) -> Stamp | None:
        """Return the stamp of what has this name, None where there is nothing.

        :param follow: where it is a link, of what that leads to.
        """
        with contextlib.suppress(OSError), reached(self.root, path, follow_last=follow) as found:
            return Stamp.of(os.fstat(found))
        return None

    def write(self, path: str, data: bytes, *, mode: int) -> None:
        """Make a new file, root's own.

        :raises OSError: there is one of that name, or the folder is not there.
        """
        above, name = PurePosixPath(path).parent, PurePosixPath(path).name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with reached(self.root, str(above), follow_last=True) as folder:
            descriptor = os.open(name, flags, mode, dir_fd=folder)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(data)

    def names(self, path: str) -> Iterator[str]:
        """Yield the path of a regular file, or of each one in and below a folder; there need be none.

        What is mounted below it is left out, and where links below it lead.
        """
        return (found for found, _ in self._walk(path))

    def files(self, path: str) -> Iterator[tuple[str, Stamp]]:
        """Yield what ``names`` does, each with its stamp."""
        for found, status in self._walk(path):
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                yield found, Stamp.of(status())

    def _walk(self, path: str) -> Iterator[tuple[str, Callable[[], os.stat_result]]]:
        with contextlib.suppress(OSError), reached(self.root, path, follow_last=False) as found:
            status = os.fstat(found)
            if stat.S_ISREG(status.st_mode):
                yield path, lambda: status
            elif stat.S_ISDIR(status.st_mode):
                yield from _below(path, found, status.st_dev)


def _below(path: str, folder: int, device: int) -> Iterator[tuple[str, Callable[[], os.stat_result]]]:
    """Walk a folder without leaving its file system; ``folder`` is open as a path only."""
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        if os.fstat(descriptor).st_dev != device:
            return
        with os.scandir(descriptor) as entries:
            for entry in entries:
                inside = f"{path.rstrip('/')}/{entry.name}"
                if entry.is_file(follow_symlinks=False):
                    yield inside, functools.partial(entry.stat, follow_symlinks=False)
                elif entry.is_dir(follow_symlinks=False):
                    with contextlib.suppress(OSError):  # gone meanwhile, or a link now
                        below = os.open(
                            entry.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor
                        )
                        try:
                            yield from _below(inside, below, device)
                        finally:
                            os.close(below)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def reached(root: Path | str, path: str, *, follow_last: bool) -> Iterator[int]:
    """Give a descriptor (O_PATH) of what ``path`` names below ``root``; the kernel follows no link for it.

    It is openat2's RESOLVE_IN_ROOT, which Python does not offer.

    :raises OSError: there is nothing, or links go round in circles.
    """
    with contextlib.ExitStack() as opened:

        def step(name: str, *, inside: int | None) -> int:
            descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=inside)
            opened.callback(os.close, descriptor)
            return descriptor

        trail = [step(str(root), inside=None)]
        left = list(reversed(PurePosixPath(path).parts))
        links = 0
        while left:
            name = left.pop()
            if name.startswith("/"):
                del trail[1:]
            elif name == "..":
                del trail[max(1, len(trail) - 1) :]
            else:
                found = step(name, inside=trail[-1])
                if stat.S_ISLNK(os.fstat(found).st_mode) and (left or follow_last):
                    links += 1
                    if links > MOST_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                    left += reversed(PurePosixPath(os.readlink("", dir_fd=found)).parts)
                else:
                    trail.append(found)
        yield trail[-1]
