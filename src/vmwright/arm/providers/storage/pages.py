"""Where a disk has data: clients of Azure Storage ask for it first, and leave the rest out of a download."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmwright.arm.http.answer import Answer
from vmwright.arm.http.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from vmwright.arm.http.call import Call
    from vmwright.arm.providers.storage.blobs import Blob

WHAT = "comp"
PAGES = "pagelist"
PAGE_BYTES = 512
# So many ranges are written at once.
AT_ONCE = 1000


async def listed(call: Call, blob: Blob) -> Answer:
    """Return the ranges of a disk that are no holes, as `Get Page Ranges` of Azure Storage does.

    :raises ArmError: the blob is no disk, or something else is asked of it: nothing else may be answered with
        its bytes, which clients would read as a document.
    """
    try:
        asked = call.query[WHAT]
        if asked != PAGES or not blob.is_disk:
            raise _refused(asked)
        ranges = await asyncio.to_thread(blob.data)
    finally:
        blob.close()
    headers = {
        "ETag": blob.etag,
        "Content-Type": "application/xml",
        "x-ms-blob-content-length": str(blob.size),
    }
    return Answer(
        headers=headers, body=None if call.method == "HEAD" else _document(_in_pages(ranges, blob.size))
    )


async def _document(ranges: list[tuple[int, int]]) -> AsyncIterator[bytes]:
    yield b'<?xml version="1.0" encoding="utf-8"?><PageList>'
    for at in range(0, len(ranges), AT_ONCE):
        shown = (
            f"<PageRange><Start>{start}</Start><End>{stop - 1}</End></PageRange>"
            for start, stop in ranges[at : at + AT_ONCE]
        )
        yield "".join(shown).encode()
    yield b"</PageList>"


def _in_pages(ranges: Iterable[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """Return ranges that begin and end with pages, those that touch each other as one."""
    paged: list[tuple[int, int]] = []
    for start, stop in ranges:
        first, last = start - start % PAGE_BYTES, min(size, stop + -stop % PAGE_BYTES)
        if paged and first <= paged[-1][1]:
            first = paged.pop()[0]
        paged.append((first, last))
    return paged


def _refused(asked: str) -> ArmError:
    return ArmError(
        400,
        "InvalidQueryParameterValue",
        f"comp={asked} is not supported here: a blob is read as a whole or in part, and of a disk "
        f"comp={PAGES} tells where it has data.",
        target=WHAT,
        headers={"x-ms-error-code": "InvalidQueryParameterValue"},
    )
