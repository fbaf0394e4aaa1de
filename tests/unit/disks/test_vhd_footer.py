"""The footer of a fixed VHD: what is written is read back, damage is found, Azure's rules hold."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmwright.disks.vhd import (
    FOOTER_BYTES,
    MIB,
    VhdFooter,
    append_footer,
    is_fixed_vhd,
    make_footer,
    parse_footer,
    verify_fixed_vhd,
)
from vmwright.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime(2024, 2, 29, 12, 0, 0, tzinfo=UTC)
ID = uuid.UUID(int=7)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

sizes = st.integers(min_value=1, max_value=4096 * 1024).map(lambda mib: mib * MIB)
times = st.integers(min_value=0, max_value=2**32 - 1).map(lambda s: EPOCH + timedelta(seconds=s))


@given(size=sizes, unique_id=st.uuids(), made_at=times)
def test_what_is_written_is_read_back(size: int, unique_id: uuid.UUID, made_at: datetime) -> None:
    footer = make_footer(size, unique_id=unique_id, made_at=made_at)
    assert len(footer) == FOOTER_BYTES
    assert parse_footer(footer) == VhdFooter(size=size, creator=b"win ", unique_id=unique_id, made_at=made_at)


@given(size=sizes, at=st.integers(0, FOOTER_BYTES - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(size: int, at: int, bit: int) -> None:
    footer = bytearray(make_footer(size, unique_id=ID, made_at=AT))
    footer[at] ^= 1 << bit
    with pytest.raises(ValueError, match="footer"):
        parse_footer(bytes(footer))


@pytest.mark.parametrize("size", [0, -MIB, 1, MIB + 512])
def test_data_is_a_whole_number_of_mib(size: int) -> None:
    with pytest.raises(ValueError, match="whole number of MiB"):
        make_footer(size, unique_id=ID, made_at=AT)


def vhd(folder: Path, size: int = 2 * MIB, *, said: int | None = None) -> Path:
    path = folder / "disk.vhd"
    path.write_bytes(bytes(size) + make_footer(said or size, unique_id=ID, made_at=AT))
    return path


def reseal(footer: bytearray) -> bytes:
    footer[64:68] = bytes(4)
    footer[64:68] = (~sum(footer) & 0xFFFFFFFF).to_bytes(4)
    return bytes(footer)


def test_a_good_vhd_passes(tmp_path: Path) -> None:
    path = vhd(tmp_path)
    assert verify_fixed_vhd(path).size == 2 * MIB
    assert is_fixed_vhd(path)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=rf"{3 * MIB} bytes of data, the file has {2 * MIB}"):
        verify_fixed_vhd(vhd(tmp_path, said=3 * MIB))


@pytest.mark.parametrize("content", [b"", b"short", bytes(2 * MIB)])
def test_a_file_without_footer_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "disk.vhd"
    path.write_bytes(content)
    assert not is_fixed_vhd(path)
    with pytest.raises(BuildError, match="does not end in the footer"):
        verify_fixed_vhd(path)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        (slice(60, 64), (3).to_bytes(4), "dynamic"),
        (slice(28, 32), b"qemu", "creator"),
        (slice(48, 56), (2 * MIB - 512).to_bytes(8), "bytes of data"),
    ],
)
def test_what_azure_would_refuse_is_named(tmp_path: Path, field: slice, value: bytes, reason: str) -> None:
    path = vhd(tmp_path)
    footer = bytearray(make_footer(2 * MIB, unique_id=ID, made_at=AT))
    footer[field] = value
    path.write_bytes(bytes(2 * MIB) + reseal(footer))
    with pytest.raises(BuildError, match=reason):
        verify_fixed_vhd(path)


def test_a_size_that_is_no_whole_number_of_mib_is_refused(tmp_path: Path) -> None:
    footer = bytearray(make_footer(2 * MIB, unique_id=ID, made_at=AT))
    footer[40:56] = (MIB + 512).to_bytes(8) * 2
    path = tmp_path / "disk.vhd"
    path.write_bytes(bytes(MIB + 512) + reseal(footer))
    with pytest.raises(BuildError, match="whole number of MiB"):
        verify_fixed_vhd(path)


def test_a_raw_disk_becomes_a_vhd_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "disk.vhd"
    path.write_bytes(b"data" + bytes(2 * MIB - 4))
    footer = append_footer(path)
    assert verify_fixed_vhd(path) == footer
    assert path.stat().st_size == 2 * MIB + FOOTER_BYTES
    assert path.read_bytes().startswith(b"data")
    other = tmp_path / "other.vhd"
    other.write_bytes(bytes(2 * MIB))
    assert append_footer(other).unique_id != footer.unique_id
