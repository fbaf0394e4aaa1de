"""Parts of an open file, in Linux's ways that Python has no names for: written to the disk, made a hole."""

from __future__ import annotations

import errno
import functools
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctypes import CDLL

# SYNC_FILE_RANGE_WRITE of linux/fs.h
_WRITE = 2
# FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE of linux/falloc.h
_HOLE = 1 | 2


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
    library.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return library
