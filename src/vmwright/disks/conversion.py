"""Writing a disk, with all of its backing files, as one new file of another format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmwright.artifacts.sums import sums_when_longer
from vmwright.disks.flat_disk import FlatDisk
from vmwright.disks.qemu_img import HINT, LONG, DiskFormat, info
from vmwright.disks.vhd import MIB, append_footer, verify_fixed_vhd
from vmwright.process import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vmwright.artifacts.files import ProgressSink
    from vmwright.artifacts.sums import Sums
    from vmwright.disks.qemu_img import Argv, DiskInfo

_PROGRESS = re.compile(rb"\((\d+(?:\.\d+)?)/100%\)")


async def convert(
    source: Path,
    destination: Path,
    *,
    to: DiskFormat,
    compressed: bool = False,
    begun: FlatDisk | None = None,
    on_progress: ProgressSink | None = None,
) -> Sums | None:
    """Write a disk, with all of its backing files, as one new file.

    A VHD is fixed and holds a whole number of MiB, as Azure wants it: the disk is rounded up. The
    destination appears whole, or not at all; it is not flushed to the disk.

    :param to: qcow2, raw or VHD.
    :param compressed: with zstd, for a qcow2: less than half as long, and about a second of a processor
        for each GiB that is read of it.
    :param begun: what was written of an older state of a raw disk or VHD, on the file system of the
        destination; it becomes that.
    :param on_progress: given bytes done and bytes in all; what is zeros need not count.
    :returns: the sums of a raw disk or VHD that was compared with the disk while it was written; None
        where it was not.
    :raises ProcessError: in qemu-img's words (no space left, for one).
    :raises OSError: the same of what is copied without it.
    """
    whole = await info(source)
    part = begun.path if begun else destination.with_name(f"{destination.name}.part")
    sums: Sums | None = None
    try:
        if to is DiskFormat.QCOW2:
            options = ["-c", "-o", "compression_type=zstd"] if compressed else []
            await _converted(whole, source, part, ["-O", to, *options], on_progress)
        else:
            sums = await _laid_flat(whole, source, begun or FlatDisk(part), to, on_progress)
        part.replace(destination)
    finally:
        part.unlink(missing_ok=True)
    return sums


def flat_size(disk_bytes: int, to: DiskFormat) -> int:
    """Return how long a raw disk or VHD is that holds a disk, without the VHD's footer."""
    return round_up(disk_bytes) if to is DiskFormat.VHD else disk_bytes


def round_up(size: int, *, step: int = MIB) -> int:
    """Return the next whole number of ``step`` bytes."""
    return -(-size // step) * step


async def _laid_flat(
    whole: DiskInfo, source: Path, flat: FlatDisk, to: DiskFormat, on_progress: ProgressSink | None
) -> Sums | None:
    """Write a disk as a raw one: by our own hands, and compared, where they can read it."""
    size = flat_size(whole.virtual_size, to)
    sums = await flat.write(source, whole.format, size, on_progress=on_progress)
    if sums is None:
        options: Argv = ["-O", DiskFormat.RAW, "-n", "--target-is-zero"]
        await _converted(whole, source, flat.path, options, on_progress)
    if to is DiskFormat.VHD:
        append_footer(flat.path)
        verify_fixed_vhd(flat.path)
        sums = await sums_when_longer(sums, flat.path) if sums else None
    return sums


async def _converted(
    whole: DiskInfo, source: Path, part: Path, options: Argv, on_progress: ProgressSink | None
) -> None:
    await run(
        ["qemu-img", "convert", "-p", "-W", "-m", "8", "-f", whole.format, *options, source.absolute(), part],
        timeout=LONG,
        on_stdout=_percent_reader(whole.virtual_size, on_progress),
        hint=HINT,
    )


def _percent_reader(total: int, on_progress: ProgressSink | None) -> Callable[[bytes], None]:
    """Return a reader of qemu-img's progress, which comes far more often than anybody can look."""
    told = -1

    def read(chunk: bytes) -> None:
        nonlocal told
        percents = _PROGRESS.findall(chunk)
        if on_progress and percents and (percent := int(float(percents[-1]))) > told:
            told = percent
            on_progress(total * percent // 100, total)

    return read
