"""The footer of a fixed VHD: the last 512 bytes, all that tells such a file from a raw disk.

Azure takes a VHD only when it is fixed and its data is a whole number of MiB (reference: "Prepare a VHD"
of Azure's documentation; machines §4). Numbers in the footer are big-endian. QEMU believes the footer's
size only where the creator is one it knows (``win ``, ``qem2``); for any other it computes the size from
the cylinders, which is up to 16 KiB less than the disk: a disk cut short, silently.
"""

from __future__ import annotations

import os
import struct
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vmwright.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
SECTOR = 512
FOOTER_BYTES = 512
COOKIE = b"conectix"
FIXED = 2
CREATORS_WITH_TRUE_SIZE = frozenset({b"win ", b"qem2"})

_LAYOUT = struct.Struct(">8sIIQI4sI4sQQHBBII16sB427x")
_CHECKSUM_AT = 64
_RESERVED_FEATURE = 2  # the bit that the format says is always set
_VERSION_1_0 = 0x0001_0000
_NO_DYNAMIC_HEADER = 0xFFFF_FFFF_FFFF_FFFF
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MOST_HEADS = 16
_MOST_GEOMETRY_SECTORS = 65535 * _MOST_HEADS * 255


@dataclass(frozen=True, slots=True, kw_only=True)
class VhdFooter:
    """What a footer says: the size of the data in bytes, who made it and when (UTC), its unique id."""

    size: int
    creator: bytes
    unique_id: uuid.UUID
    made_at: datetime
    disk_type: int = FIXED


def make_footer(size: int, *, unique_id: uuid.UUID, made_at: datetime) -> bytes:
    """Return the footer of a fixed VHD that Azure and QEMU read alike.

    :param size: bytes of data; a whole number of MiB.
    """
    if size <= 0 or size % MIB:
        raise ValueError(f"A VHD for Azure holds a whole number of MiB, not {size} bytes")
    footer = bytearray(
        _LAYOUT.pack(
            COOKIE,
            _RESERVED_FEATURE,
            _VERSION_1_0,
            _NO_DYNAMIC_HEADER,
            int((made_at - _EPOCH).total_seconds()),
            b"win ",
            0x000A_0000,
            b"Wi2k",
            size,
            size,
            *_geometry(size // SECTOR),
            FIXED,
            0,
            unique_id.bytes,
            0,
        )
    )
    struct.pack_into(">I", footer, _CHECKSUM_AT, _checksum(footer))
    return bytes(footer)


def parse_footer(footer: bytes) -> VhdFooter:
    """Read a footer of any VHD.

    :raises ValueError: these 512 bytes are no footer, or are damaged.
    """
    if len(footer) != FOOTER_BYTES or not footer.startswith(COOKIE):
        raise ValueError("it does not end in the footer of a VHD")
    fields = _LAYOUT.unpack(footer)
    if fields[14] != _checksum(footer):
        raise ValueError("the checksum of its footer is wrong")
    return VhdFooter(
        size=fields[9],
        creator=fields[5],
        unique_id=uuid.UUID(bytes=fields[15]),
        made_at=_EPOCH + timedelta(seconds=fields[4]),
        disk_type=fields[13],
    )


def is_fixed_vhd(path: Path) -> bool:
    """Return whether a file is a fixed VHD (QEMU's own probing takes one for a raw disk)."""
    try:
        return parse_footer(_last_bytes(path)).disk_type == FIXED
    except ValueError:
        return False


def verify_fixed_vhd(path: Path) -> VhdFooter:
    """Check that Azure would take this VHD, and that QEMU reads all of it.

    :raises BuildError: with what is wrong.
    """
    try:
        footer = parse_footer(_last_bytes(path))
        _check(footer, path.stat().st_size)
    except ValueError as error:
        raise BuildError(
            f"{path.name} is not a VHD that Azure takes: {error}",
            target=str(path),
            hint="convert it with `qemu-img convert -O vpc -o subformat=fixed,force_size=on`",
        ) from None
    return footer


def append_footer(path: Path) -> VhdFooter:
    """Make a raw disk a fixed VHD, in place: a footer with a new id, the time of now, a creator of true size.

    :raises ValueError: the disk is no whole number of MiB.
    """
    data = path.stat().st_size
    footer = make_footer(data, unique_id=uuid.uuid4(), made_at=datetime.now(UTC))
    with path.open("r+b") as file:
        file.seek(data)
        file.write(footer)
    return parse_footer(footer)


def _check(footer: VhdFooter, length: int) -> None:
    if footer.disk_type != FIXED:
        raise ValueError("it is dynamic or differencing, not fixed")
    if length != footer.size + FOOTER_BYTES:
        raise ValueError(f"its footer says {footer.size} bytes of data, the file has {length - FOOTER_BYTES}")
    if footer.size % MIB:
        raise ValueError(f"its data of {footer.size} bytes is no whole number of MiB")
    if footer.creator not in CREATORS_WITH_TRUE_SIZE:
        raise ValueError(f"its creator {footer.creator!r} makes QEMU read less than the whole disk")


def _last_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) < FOOTER_BYTES:
            return b""
        file.seek(-FOOTER_BYTES, os.SEEK_END)
        return file.read()


def _checksum(footer: bytes | bytearray) -> int:
    """Return the ones' complement of the sum of all bytes but the checksum's own four."""
    total = sum(footer) - sum(footer[_CHECKSUM_AT : _CHECKSUM_AT + 4])
    return ~total & 0xFFFF_FFFF


def _geometry(sectors: int) -> tuple[int, int, int]:
    """Return cylinders, heads and sectors per track as the appendix of the VHD specification has them."""
    sectors = min(sectors, _MOST_GEOMETRY_SECTORS)
    if sectors >= 65535 * _MOST_HEADS * 63:
        return sectors // 255 // _MOST_HEADS, _MOST_HEADS, 255
    per_track, heads = 17, max(4, (sectors // 17 + 1023) // 1024)
    if sectors // 17 >= heads * 1024 or heads > _MOST_HEADS:
        per_track, heads = 31, _MOST_HEADS
    if sectors // per_track >= heads * 1024:
        per_track, heads = 63, _MOST_HEADS
    return sectors // per_track // heads, heads, per_track
