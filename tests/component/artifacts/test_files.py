from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmwright.artifacts.files import CHUNK, sha256_of

BLOCK = 4096


@settings(max_examples=30, deadline=None)
@given(
    data=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 3)), max_size=6),
    size=st.integers(0, 5000 * BLOCK + 17),
)
async def test_the_sum_of_a_file_with_holes_is_that_of_its_bytes(
    tmp_path_factory: pytest.TempPathFactory, data: list[tuple[int, int]], size: int
) -> None:
    path = tmp_path_factory.mktemp("sum") / "file"
    with path.open("wb") as file:
        for block, count in data:
            file.seek(block * BLOCK)
            file.write(os.urandom(count * BLOCK))
        file.truncate(size)
    seen: list[tuple[int, int]] = []
    assert (
        await sha256_of(path, progress=lambda done, total: seen.append((done, total)))
        == hashlib.sha256(path.read_bytes()).hexdigest()
    )
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert not size or seen[-1] == (size, size)


async def test_a_hole_larger_than_a_chunk_is_hashed_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "hole"
    with path.open("wb") as file:
        file.truncate(3 * CHUNK + 5)
    assert await sha256_of(path) == hashlib.sha256(bytes(3 * CHUNK + 5)).hexdigest()
