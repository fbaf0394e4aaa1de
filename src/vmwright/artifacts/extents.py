"""Parts of files, in Linux's ways that Python has no names for: written to disk, made a hole, compared."""

from __future__ import annotations

import errno
import functools
import mmap
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctypes import CDLL
    from pathlib import Path

# SYNC_FILE_RANGE_WRITE of linux/fs.h
_WRITE = 2
# FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE of linux/falloc.h
_HOLE = 1 | 2
# What a disk that takes memory itself wants places and lengths to be multiples of.
BLOCK = mmap.PAGESIZE


def open_past_cache(path: Path) -> tuple[int, bool]:
    """Open a file to read and write blocks of it that the page cache does not have, and does not get.

    Memory that is new to the cache takes as long to get as the disk does to write.

    :returns: the descriptor, and whether that is so; a file system that has no other way than its cache
        (tmpfs, for one) gives a common one.
    """
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.open(path, flags), False
    if _gives_blocks(descriptor):
        return descriptor, True
    os.close(descriptor)
    return os.open(path, flags), False


def _gives_blocks(descriptor: int) -> bool:
    try:
        os.preadv(descriptor, [aligned(BLOCK)], 0)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    return True


def aligned(length: int) -> memoryview:
    """Return memory that a disk can write and read itself."""
    return memoryview(mmap.mmap(-1, length))


def are_equal(one: memoryview, other: memoryview) -> bool:
    """Whether two parts of writable memory have the same bytes, found out faster than Python does."""
    import ctypes  # noqa: PLC0415 - see below

    if len(one) != len(other):
        return False
    places = (ctypes.addressof(ctypes.c_char.from_buffer(part)) for part in (one, other))
    return not one or _library().memcmp(*places, len(one)) == 0


def begin_write_back(descriptor: int, start: int, length: int) -> None:
    """Let the kernel begin to write a part of a file to the disk, and do not wait for it.

    It promises nothing: a file system that cannot leaves all of it to the flush, which says what failed, too.
    """
    _library().sync_file_range(descriptor, start, length, _WRITE)


def clear(descriptor: int, start: int, length: int) -> None:
    """Make a part of a file zeros: a hole, where the file system can have one.

    :raises OSError: the disk is full, or fails.
    """
    if _library().fallocate(descriptor, _HOLE, start, length) == 0:
        return
    failed = _errno()
    if failed != errno.EOPNOTSUPP:
        raise OSError(failed, os.strerror(failed))
    os.pwrite(descriptor, bytes(length), start)


def _errno() -> int:
    import ctypes  # noqa: PLC0415 - see below

    return ctypes.get_errno()


@functools.cache
def _library() -> CDLL:
    import ctypes  # noqa: PLC0415 - few commands write disks

    library = ctypes.CDLL(None, use_errno=True)
    library.sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    library.memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    library.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return library
