from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vmwright.errors import SourceError
from vmwright.events import Event, Events, Progress
from vmwright.sources.adding import add
from vmwright.sources.context import SourceContext
from vmwright.sources.unpacking import unpacked

MIB = 1 << 20


@pytest.mark.parametrize("compress", [lzma.compress, gzip.compress, bz2.compress])
async def test_a_compressed_disk_is_added_as_what_it_holds(
    context: SourceContext, raw_disk: Path, tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "given").write_bytes(compress(raw_disk.read_bytes()))
    entry = await add("a:b:c", str(tmp_path / "given"), context)
    assert (entry.facts.os_name, entry.facts.size_bytes) == ("Tiny 1", 8 * MIB)


async def test_zeros_become_holes_and_progress_is_told(tmp_path: Path) -> None:
    said: list[Event] = []
    body = b"boot" + bytes(24 * MIB) + os.urandom(1000) + bytes(3 * MIB)
    (tmp_path / "disk.raw.xz").write_bytes(lzma.compress(body, preset=0))
    whole = await unpacked(tmp_path / "disk.raw.xz", tmp_path, Events(said.append))
    assert whole.read_bytes() == body
    assert whole.stat().st_blocks * 512 < 8 * MIB
    assert [event.done for event in said if isinstance(event, Progress)][-1] == len(body)


async def test_what_is_not_compressed_is_taken_as_it_is(raw_disk: Path, tmp_path: Path) -> None:
    assert await unpacked(raw_disk, tmp_path, Events()) == raw_disk


async def test_a_disk_never_unpacks_beyond_its_limit(tmp_path: Path) -> None:
    (tmp_path / "bomb.xz").write_bytes(lzma.compress(bytes(24 * MIB), preset=0))
    with pytest.raises(SourceError, match="unpacks to more than"):
        await unpacked(tmp_path / "bomb.xz", tmp_path, Events(), largest=16 * MIB)
    assert (tmp_path / "unpacked").stat().st_size <= 16 * MIB


@pytest.mark.parametrize("compress", [lzma.compress, gzip.compress, bz2.compress])
@pytest.mark.parametrize("damage", [slice(0, -20), slice(0, 40)])
async def test_a_damaged_file_is_an_error(
    tmp_path: Path, compress: Callable[[bytes], bytes], damage: slice
) -> None:
    (tmp_path / "disk").write_bytes(compress(os.urandom(MIB))[damage])
    with pytest.raises(SourceError, match="cannot be unpacked"):
        await unpacked(tmp_path / "disk", tmp_path, Events())


async def test_garbled_bytes_are_an_error(tmp_path: Path) -> None:
    for compress in (lzma.compress, gzip.compress, bz2.compress):
        packed = bytearray(compress(os.urandom(MIB)))
        packed[5000:5100] = bytes(100)
        (tmp_path / "disk").write_bytes(packed)
        with pytest.raises(SourceError, match="cannot be unpacked"):
            await unpacked(tmp_path / "disk", tmp_path, Events())


async def test_zstandard_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(100))
    with pytest.raises(SourceError, match="Zstandard") as caught:
        await unpacked(tmp_path / "disk", tmp_path, Events())
    assert "zstd -d" in str(caught.value.hint)
