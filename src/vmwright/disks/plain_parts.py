"""Where the bytes of a disk are in its files, for a disk that can be read without QEMU."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from vmwright.artifacts.gathering import Part
from vmwright.process import run

QUICK = 60.0
HINT = "install qemu-utils"
_PLAIN = frozenset({"qcow2", "raw"})


async def plain_parts(disk: Path, disk_format: str) -> tuple[Part, ...] | None:
    """Return the parts of its files that a disk with its backing files consists of; all else is zeros.

    :returns: None where only QEMU can read it: some of it is compressed, in another format,
        or behind the end of its file.
    :raises ProcessError: in qemu-img's words (a table of the disk is damaged, for one).
    """
    extents, chain = await asyncio.gather(
        _asked("map", "-f", disk_format, disk.absolute()),
        _asked("info", "-U", "--backing-chain", "-f", disk_format, disk.absolute()),
    )
    if any(one["format"] not in _PLAIN for one in chain):
        return None
    files = [Path(one["filename"]) for one in chain]
    sizes = [file.stat().st_size if file.is_file() else 0 for file in files]
    with_data = [one for one in extents if one["data"]]
    if any("offset" not in one or one["offset"] + one["length"] > sizes[one["depth"]] for one in with_data):
        return None
    return tuple(
        Part(start=one["start"], length=one["length"], file=files[one["depth"]], offset=one["offset"])
        for one in with_data
    )


async def _asked(question: str, *arguments: str | Path) -> list[dict[str, Any]]:
    ended = await run(["qemu-img", question, "--output=json", *arguments], timeout=QUICK, hint=HINT)
    said: list[dict[str, Any]] = json.loads(ended.stdout)
    return said
