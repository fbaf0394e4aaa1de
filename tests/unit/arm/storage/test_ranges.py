from __future__ import annotations

import pytest

from vmwright.arm.providers.storage.ranges import Part, UnsatisfiableError, part_of


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-0", Part(0, 1)),
        ("bytes=10-19", Part(10, 20)),
        ("bytes=10-", Part(10, 100)),
        ("bytes=90-1000", Part(90, 100)),
        ("bytes=-1", Part(99, 100)),
        ("bytes=-1000", Part(0, 100)),
        (" bytes=0-9 ", Part(0, 10)),
    ],
)
def test_one_part_is_what_is_asked_for(wanted: str, part: Part) -> None:
    assert part_of(wanted, 100) == part


@pytest.mark.parametrize(
    "wanted",
    ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-1", "bytes=0-1,3-4", "lines=0-1", "bytes=+1-2"],
)
def test_what_is_no_single_part_is_all(wanted: str) -> None:
    assert part_of(wanted, 100) is None


@pytest.mark.parametrize(("wanted", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-", 0)])
def test_there_is_nothing_behind_the_end(wanted: str, size: int) -> None:
    with pytest.raises(UnsatisfiableError):
        part_of(wanted, size)


def test_a_number_that_is_too_long_is_none() -> None:
    assert part_of(f"bytes={'9' * 5000}-", 100) is None
