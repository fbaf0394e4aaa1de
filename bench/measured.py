"""Running a command and measuring it: wall and processor time, and the memory of its processes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

VMWRIGHT = Path(sys.executable).parent / "vmwright"
PR_SET_CHILD_SUBREAPER = 36
SAMPLE_SECONDS = 0.2
KIB_PER_MIB = 1 << 10
BYTES_PER_MIB = 1 << 20
LAST_LINES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one run of a command took.

    ``seconds`` is wall time, ``cpu_seconds`` user and system time of all processes. ``largest_mib`` is the
    most that one of them had resident; ``own_mib`` the most that those run by vmwright's own interpreter had
    together, what they share counted once. ``last_lines`` is the end of what it said.
    """

    seconds: float
    cpu_seconds: float
    largest_mib: float
    own_mib: float
    exit_code: int
    last_lines: tuple[str, ...]


def run(
    argv: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Taken:
    """Run a command to its end, and say what it took.

    :param environment: is added to this process's own.
    :param on_line: is given each line that it says on either stream.
    """
    adopt_orphans()
    said: deque[str] = deque(maxlen=LAST_LINES)
    begun = time.perf_counter()
    with subprocess.Popen(
        argv,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=_read, args=(process.stdout, said, on_line), daemon=True)
        reader.start()
        with _sampled() as memory:
            exit_code, cpu_seconds, largest_kib = _reaped(process.pid)
            seconds = time.perf_counter() - begun
        process.returncode = exit_code
        reader.join(timeout=1)  # a daemon that it left may hold the stream open
    return Taken(
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        largest_mib=max(largest_kib / KIB_PER_MIB, memory.largest_mib),
        own_mib=memory.own_mib,
        exit_code=exit_code,
        last_lines=tuple(said),
    )


def adopt_orphans() -> None:
    """Make this process the parent of what its children leave behind, so that their time is counted, too."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


class _Memory:
    """The peaks that were seen, in MiB."""

    def __init__(self) -> None:
        self.largest_mib = 0.0
        self.own_mib = 0.0

    def look(self) -> None:
        own = 0.0
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error, OSError):
                mib = process.memory_info().rss / BYTES_PER_MIB
                self.largest_mib = max(self.largest_mib, mib)
                if Path(f"/proc/{process.pid}/exe").samefile(sys.executable) and not _is_copy(process):
                    own += process.memory_full_info().pss / BYTES_PER_MIB
        self.own_mib = max(self.own_mib, own)


def _is_copy(process: psutil.Process) -> bool:
    """Whether a process is about to become another program, and until then has its parent's memory."""
    parent = process.parent()
    return parent is not None and parent.cmdline() == process.cmdline()


@contextlib.contextmanager
def _sampled() -> Iterator[_Memory]:
    memory = _Memory()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            memory.look()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()


def _reaped(pid: int) -> tuple[int, float, float]:
    """Wait for a process, and for all orphans that have ended; return its exit code, their seconds, KiB."""
    exit_code: int | None = None
    cpu_seconds = 0.0
    largest_kib = 0.0
    with contextlib.suppress(ChildProcessError):
        while True:
            found, status, usage = os.wait4(-1, 0 if exit_code is None else os.WNOHANG)
            if found == 0:
                break
            cpu_seconds += usage.ru_utime + usage.ru_stime
            largest_kib = max(largest_kib, usage.ru_maxrss)
            if found == pid:
                exit_code = os.waitstatus_to_exitcode(status)
    assert exit_code is not None
    return exit_code, cpu_seconds, largest_kib


def _read(stream: Iterator[str], said: deque[str], on_line: Callable[[str], None] | None) -> None:
    for line in stream:
        said.append(line.rstrip())
        if on_line is not None:
            on_line(line)
