"""Files and small objects in the store that hosts share.

A file is ``sha256/<digest>/<number>`` for each chunk of 16 MiB that is not all zeros, and, written last,
``sha256/<digest>/manifest.json``: without it there is no such file for anybody. An upload that breaks off is
taken up by the next one of the same file, which sends only what is missing. Whoever downloads believes
nothing but the digest.

A manifest is written and a file is removed by one at a time of all who share the database, so that a file
with a manifest has its chunks, and what was put an hour ago or less is there. Times are the store's own.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import ValidationError

from vmwright.artifacts import chunks, files
from vmwright.artifacts.chunks import Manifest
from vmwright.artifacts.locks import alone
from vmwright.artifacts.object_store import ObjectStore
from vmwright.artifacts.together import each
from vmwright.errors import StoreError
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime
    from pathlib import Path

    from vmwright.artifacts.files import ProgressSink
    from vmwright.settings import Settings
    from vmwright.state.database import Database
    from vmwright.state.resources import Ledger

FILES = "sha256"
MANIFEST = "manifest.json"
OWNER = "vmwright.json"
PARALLEL = 4
# A file that no row refers to may get one within GRACE, a broken upload may go on within GRACE_BROKEN. The
# first begins anew when the manifest is written again, by whoever puts a file that is there already.
GRACE = timedelta(hours=1)
GRACE_BROKEN = timedelta(days=1)


class SharedStore:
    """The files and small objects below ``store.url``, which belong to one database.

    Every method raises StoreError where the store cannot be used.
    """

    def __init__(self, objects: ObjectStore, database: Database) -> None:
        self.url = objects.url
        self._objects = objects
        self._database = database
        self._is_ours = False

    async def put(
        self, path: Path, *, digest: str | None = None, progress: ProgressSink | None = None
    ) -> str:
        """Store a file and return its SHA-256; what the store has already is not sent.

        :param digest: its SHA-256 where that is known.
        :param progress: given bytes done and bytes in all, of those that are data.
        :raises OSError: the file cannot be read.
        """
        digest = digest or await files.sha256_of(path)
        await self.check_owner()
        is_whole = await self._renew(digest)
        while not is_whole:
            is_whole = await self._complete(digest, await self._send(path, digest, progress))
        return digest

    async def fetch(
        self, digest: str, destination: Path, *, ledger: Ledger, progress: ProgressSink | None = None
    ) -> None:
        """Make a file of the bytes with that SHA-256; it is whole when its name appears.

        :raises StoreError: there is none, what there is is damaged, or ``destination`` cannot be written.
        """
        manifest = await self._manifest(digest)
        part = destination.with_name(f".{destination.name}.{uuid.uuid4().hex[:8]}.part")
        claim = ledger.claim(ResourceKind.PATH, part)
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            await self._receive(manifest, digest, part, progress)
            await files.flush(part)
            part.replace(destination)
            await files.flush(destination.parent)
        except OSError as error:
            raise StoreError(
                f"{destination} cannot be written: {error.strerror}",
                target=str(destination),
                hint="see whether its disk has room, and whether this user may write there",
            ) from error
        finally:
            part.unlink(missing_ok=True)
            ledger.release(claim)

    async def has(self, digest: str) -> bool:
        """Return whether the store has the whole of a file."""
        return await self._objects.find(_key(digest, MANIFEST)) is not None

    async def digests(self) -> tuple[str, ...]:
        """Return the digests of all files, also of those of which only a part is there."""
        return await self._objects.folders(FILES)

    async def now(self) -> datetime:
        """Return the time by the store's clock."""
        return await self._objects.now()

    async def remove_stale(self, digest: str, *, now: datetime, is_referenced: Callable[[str], bool]) -> int:
        """Remove a file that no row refers to, unless it was put a short while ago; return bytes removed.

        It is gone for everybody before its chunks are.

        :param now: the time by the store's clock, or an earlier one.
        :param is_referenced: asked while nobody can put the file.
        """
        await self.check_owner()
        async with self._alone(digest) as make_sure:
            found = await self._objects.below(f"{FILES}/{digest}")
            whole = _key(digest, MANIFEST) in found
            newest = max((one.modified_at for one in found.values()), default=now)
            if now - newest <= (GRACE if whole else GRACE_BROKEN) or is_referenced(digest):
                return 0
            if whole:
                make_sure()
                await self._objects.delete_one(_key(digest, MANIFEST))
            make_sure()
            await self._objects.delete(f"{FILES}/{digest}")
        return sum(one.size_bytes for one in found.values())

    async def put_bytes(self, key: str, data: bytes) -> None:
        """Store a small object, such as a build's log (``builds/<id>/customization.log``)."""
        await self.check_owner()
        await self._objects.put(key, data)

    async def get_bytes(self, key: str) -> bytes | None:
        """Return a small object, or None where there is none of that key."""
        return await self._objects.get(key)

    async def delete_bytes(self, key: str) -> None:
        """Remove a small object; there being none is no error."""
        await self._objects.delete_one(key)

    async def delete_prefix(self, prefix: str) -> None:
        """Remove the small objects below a prefix, such as ``builds/<id>``."""
        await self._objects.delete(prefix)

    async def check_owner(self) -> None:
        """Check that the store belongs to this database; one that belongs to none does from now on.

        Garbage is what this database does not know, so that two of them would throw away each other's files.

        :raises StoreError: it belongs to another database.
        """
        if self._is_ours:
            return
        database = self._database.id
        written = await self._objects.get(OWNER)
        if written is None:
            await self._objects.put(OWNER, json.dumps({"database": database}).encode())
        elif database.encode() not in written:
            raise StoreError(
                f"The store {self.url} belongs to another database than this host's",
                target=self.url,
                hint="set database.url to that of its other hosts, or give store.url a prefix of its own",
            )
        self._is_ours = True

    async def _renew(self, digest: str) -> bool:
        """Return whether the store has a file; its time is then a new one, so that it is no garbage yet."""
        async with self._alone(digest) as make_sure:
            written = await self._objects.get(_key(digest, MANIFEST))
            if written is None:
                return False
            make_sure()
            await self._objects.put(_key(digest, MANIFEST), written)
        return True

    async def _complete(self, digest: str, manifest: Manifest) -> bool:
        """Make a file whole that was sent; False where chunks of it were removed as garbage meanwhile."""
        async with self._alone(digest) as make_sure:
            there = await self._objects.below(f"{FILES}/{digest}")
            lengths = {_key(digest, f"{index:06}"): manifest.length(index) for index in manifest.chunks}
            if any(key not in there or there[key].size_bytes != lengths[key] for key in lengths):
                return False
            make_sure()
            await self._objects.put(_key(digest, MANIFEST), manifest.model_dump_json().encode())
        return True

    def _alone(self, digest: str) -> AbstractAsyncContextManager[Callable[[], None]]:
        return alone(self._database, f"stored-{digest}")

    async def _send(self, path: Path, digest: str, progress: ProgressSink | None) -> Manifest:
        size = path.stat().st_size
        there = await self._objects.below(f"{FILES}/{digest}")
        numbers = await asyncio.to_thread(chunks.with_data, path)
        sent: dict[int, str] = {}
        told = _Told(progress, total=sum(chunks.length(index, size) for index in numbers))

        async def send(index: int) -> None:
            key = _key(digest, f"{index:06}")
            if chunk := await asyncio.to_thread(chunks.read, path, index):
                # one of the right length is believed: whoever downloads looks at its digest
                if key not in there or there[key].size_bytes != len(chunk.data):
                    await self._objects.put(key, chunk.data)
                sent[index] = chunk.sha256
            told.add(chunks.length(index, size))

        await each(numbers, send, at_once=PARALLEL)
        return Manifest(size_bytes=size, chunks=dict(sorted(sent.items())))

    async def _manifest(self, digest: str) -> Manifest:
        written = await self._objects.get(_key(digest, MANIFEST))
        if written is None:
            raise StoreError(f"The store {self.url} has no sha256:{digest}", target=self.url)
        try:
            return Manifest.model_validate_json(written)
        except ValidationError as error:
            raise self._damaged(digest) from error

    async def _receive(
        self, manifest: Manifest, digest: str, part: Path, progress: ProgressSink | None
    ) -> None:
        await asyncio.to_thread(files.lay_out, part, manifest.size_bytes)
        told = _Told(progress, total=sum(map(manifest.length, manifest.chunks)))

        async def receive(index: int) -> None:
            data = await self._objects.get(_key(digest, f"{index:06}"))
            if data is None or not await asyncio.to_thread(chunks.is_intact, data, manifest, index):
                raise self._damaged(digest)
            await asyncio.to_thread(chunks.write, part, index * manifest.chunk_bytes, data)
            told.add(len(data))

        await each(manifest.chunks, receive, at_once=PARALLEL)
        if await files.sha256_of(part) != digest:
            raise self._damaged(digest)

    def _damaged(self, digest: str) -> StoreError:
        return StoreError(
            f"What the store {self.url} has as sha256:{digest} is damaged",
            target=self.url,
            hint=f"remove {FILES}/{digest} from it, and share the file again from a host that has it",
        )


class _Told:
    """Tells how far the chunks of a file are, which end in any order."""

    def __init__(self, progress: ProgressSink | None, *, total: int) -> None:
        self._progress = progress
        self._done = 0
        self._total = total

    def add(self, length: int) -> None:
        self._done += length
        if self._progress:
            self._progress(self._done, self._total)


def open_shared_store(settings: Settings, database: Database) -> SharedStore | None:
    """Return the store that hosts share, or None where none is configured; nothing is asked of it yet."""
    url = settings.store.url
    return SharedStore(ObjectStore(url, settings.store), database) if url else None


def _key(digest: str, name: str) -> str:
    return f"{FILES}/{digest}/{name}"
