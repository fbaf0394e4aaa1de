"""``guid`` and ``uniqueString``: the same names here and in Azure."""

from __future__ import annotations

import uuid

from vmwright.template.deployment.functions.function import Function, Kind

# The name space that Azure's documentation gives for guid(): a UUID of version 5.
GUIDS = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
LENGTH = 13
MASK_32 = 0xFFFFFFFF
MASK_64 = 0xFFFFFFFFFFFFFFFF
FIRST, SECOND = 0x239B961B, 0xAB0E9789


def guid(*texts: object) -> str:
    """Return the GUID of texts: joined with hyphens, hashed into ARM's name space."""
    return str(uuid.uuid5(GUIDS, "-".join(map(str, texts))))


def unique_string(*texts: object) -> str:
    """Return 13 letters: the MurmurHash of texts joined with hyphens, five bits a letter, highest first."""
    rest = murmur("-".join(map(str, texts)).encode("utf-8", errors="replace"))
    letters = []
    for _ in range(LENGTH):
        letters.append(LETTERS[rest >> 59])
        rest = rest << 5 & MASK_64
    return "".join(letters)


def murmur(data: bytes) -> int:
    """Return the 64 bits of ARM's own variant of MurmurHash3: two lanes of 32 bits, no seed."""
    low = high = 0
    whole = len(data) // 8 * 8
    for start in range(0, whole, 8):
        low ^= _mixed(data[start : start + 4], FIRST, 15, SECOND)
        low = (_turned(low, 19) + high) * 5 + 0x561CCD1B & MASK_32
        high ^= _mixed(data[start + 4 : start + 8], SECOND, 17, FIRST)
        high = (_turned(high, 13) + low) * 5 + 0x0BCAA747 & MASK_32
    low ^= _mixed(data[whole : whole + 4], FIRST, 15, SECOND)
    high ^= _mixed(data[whole + 4 :], SECOND, 17, FIRST)
    low ^= len(data)
    high ^= len(data)
    low = low + high & MASK_32
    high = high + low & MASK_32
    low, high = _final(low), _final(high)
    low = low + high & MASK_32
    high = high + low & MASK_32
    return high << 32 | low


def _mixed(part: bytes, before: int, bits: int, after: int) -> int:
    return _turned(int.from_bytes(part, "little") * before & MASK_32, bits) * after & MASK_32


def _turned(number: int, bits: int) -> int:
    return (number << bits | number >> 32 - bits) & MASK_32


def _final(number: int) -> int:
    number ^= number >> 16
    number = number * 0x85EBCA6B & MASK_32
    number ^= number >> 13
    number = number * 0xC2B2AE35 & MASK_32
    return number ^ number >> 16


FUNCTIONS = (
    Function("guid", guid, (Kind.TEXT,), more=Kind.TEXT),
    Function("uniqueString", unique_string, (Kind.TEXT,), more=Kind.TEXT),
)
