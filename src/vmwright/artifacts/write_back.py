"""Writing a file to the disk while more of it is made, so that the flush at its end has little left to do."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctypes import CDLL

# SYNC_FILE_RANGE_WRITE of linux/fs.h
_WRITE = 2


def begin_write_back(descriptor: int, start: int, length: int) -> None:
    """Let the kernel begin to write a part of a file to the disk, and do not wait for it.

    It promises nothing: a file system that cannot leaves all of it to the flush, which says what failed, too.
    """
    _library().sync_file_range(descriptor, start, length, _WRITE)


@functools.cache
def _library() -> CDLL:
    import ctypes  # noqa: PLC0415 - few commands write disks

    library = ctypes.CDLL(None)
    library.sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return library
