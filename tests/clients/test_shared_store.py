"""Files in real stores: an Azurite, an S3 server, a folder."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from vmwright.artifacts import SharedStore
from vmwright.artifacts.chunks import CHUNK_BYTES, Manifest
from vmwright.artifacts.object_store import ObjectStore
from vmwright.errors import StoreError
from vmwright.settings import Settings, StoreSettings
from vmwright.state.database import Database, open_database
from vmwright.state.resources import Ledger
from vmwright.state.tables import DatabaseRow, ResourceRow

MIB = 1 << 20
PROGRAM = Path(__file__).with_name("shared_store_program.py")


class Counting(ObjectStore):
    """A store that notes which objects were written and read."""

    def __init__(self, settings: StoreSettings) -> None:
        super().__init__(str(settings.url), settings)
        self.written: list[str] = []
        self.read: list[str] = []

    async def put(self, key: str, data: bytes) -> None:
        await super().put(key, data)
        self.written.append(key.rpartition("/")[2])

    async def get(self, key: str) -> bytes | None:
        self.read.append(key.rpartition("/")[2])
        return await super().get(key)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield database
    database.close()


@pytest.fixture
def objects(store_settings: StoreSettings) -> Counting:
    return Counting(store_settings)


@pytest.fixture
def store(objects: Counting, database: Database) -> SharedStore:
    return SharedStore(objects, database)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Data, a hole, zeros that are no hole, data, a short end: chunks 0, 3 and 4 have something in them."""
    path = tmp_path / "disk.qcow2"
    with path.open("wb") as made:
        made.write(os.urandom(CHUNK_BYTES))
        made.seek(2 * CHUNK_BYTES)
        made.write(bytes(CHUNK_BYTES))
        made.seek(3 * CHUNK_BYTES + 5 * MIB)
        made.write(os.urandom(CHUNK_BYTES - 5 * MIB))
        made.write(b"the end")
    return path


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def start(home: Path, settings: StoreSettings, what: str, path: Path, *more: str) -> subprocess.Popen[str]:
    options = {
        key: value.get_secret_value()
        for key, value in settings.options.items()
        if isinstance(value, SecretStr)
    }
    configured = json.dumps({"url": settings.url, "options": options})
    argv = [sys.executable, str(PROGRAM), str(home), configured, what, str(path), *more]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def is_clean(database: Database) -> bool:
    with database.session() as session:
        return session.scalars(select(ResourceRow)).all() == []


async def test_a_file_comes_back_with_its_holes(
    store: SharedStore, objects: Counting, file: Path, tmp_path: Path, database: Database
) -> None:
    told: list[tuple[int, int]] = []
    digest = await store.put(file, progress=lambda done, total: told.append((done, total)))
    assert digest == digest_of(file)
    assert sorted(objects.written) == ["000000", "000003", "000004", "manifest.json", "vmwright.json"]
    assert objects.written[-1] == "manifest.json"
    assert told[-1] == (3 * CHUNK_BYTES + 7, 3 * CHUNK_BYTES + 7)  # with the zeros that are no hole
    back = tmp_path / "there" / "back.qcow2"
    await store.fetch(digest, back, ledger=Ledger(database))
    assert digest_of(back) == digest
    assert back.stat().st_blocks * 512 < 2 * CHUNK_BYTES + MIB
    assert [path.name for path in back.parent.iterdir()] == ["back.qcow2"]
    assert is_clean(database)


async def test_who_comes_second_sends_no_chunk(
    store: SharedStore, store_settings: StoreSettings, file: Path, database: Database
) -> None:
    digest = await store.put(file)
    again = Counting(store_settings)
    assert await SharedStore(again, database).put(file) == digest
    # its time is a new one
    assert again.written == ["manifest.json"]


async def test_times_are_by_the_stores_own_clock(store: SharedStore, objects: Counting, file: Path) -> None:
    before = await store.now()
    digest = await store.put(file)
    made = await objects.find(f"sha256/{digest}/manifest.json")
    assert made
    assert before <= made.modified_at <= await store.now()


async def test_an_upload_that_was_killed_is_invisible_and_goes_on(
    store: SharedStore,
    objects: Counting,
    store_settings: StoreSettings,
    tmp_path: Path,
    database: Database,
) -> None:
    path = tmp_path / "disk"
    path.write_bytes(os.urandom(6 * CHUNK_BYTES))
    digest = digest_of(path)
    with start(tmp_path / "home", store_settings, "stall", path) as process:
        assert process.stdout
        assert process.stdout.readline() == "stalled\n"
        async with asyncio.timeout(60):
            # the others go on to the last chunk
            while len(there := await objects.below(f"sha256/{digest}")) < 5:
                await asyncio.sleep(0.05)
        process.kill()
    assert not await store.has(digest)
    with pytest.raises(StoreError, match="has no sha256"):
        await store.fetch(digest, tmp_path / "back", ledger=Ledger(database))
    assert {key.rpartition("/")[2] for key in there} == {f"{n:06}" for n in (0, 1, 2, 4, 5)}
    assert await store.put(path) == digest
    assert objects.written == ["000003", "manifest.json"]
    await store.fetch(digest, tmp_path / "back", ledger=Ledger(database))
    assert digest_of(tmp_path / "back") == digest


@pytest.mark.parametrize("damage", ["other bytes", "short", "gone", "manifest", "another manifest"])
async def test_what_is_damaged_is_not_taken(
    store: SharedStore, objects: Counting, file: Path, tmp_path: Path, database: Database, damage: str
) -> None:
    digest = await store.put(file)
    chunk, manifest = f"sha256/{digest}/000003", f"sha256/{digest}/manifest.json"
    match damage:
        case "other bytes":
            await objects.put(chunk, bytes(CHUNK_BYTES))
        case "short":
            await objects.put(chunk, b"x")
        case "gone":
            await objects.delete_one(chunk)
        case "manifest":
            await objects.put(manifest, b'{"version":1,"size_bytes":9,"chunks":{"7":"00"}}')
        case _:
            other = hashlib.sha256(b"other bytes").hexdigest()
            await objects.put(chunk, b"other bytes")
            made = Manifest(size_bytes=3 * CHUNK_BYTES + 11, chunks={3: other})
            await objects.put(manifest, made.model_dump_json().encode())
    with pytest.raises(StoreError, match="is damaged"):
        await store.fetch(digest, tmp_path / "there" / "back", ledger=Ledger(database))
    folder = tmp_path / "there"
    assert not folder.exists() or list(folder.iterdir()) == []
    assert is_clean(database)


async def test_two_processes_put_and_fetch_the_same_at_once(
    store: SharedStore, store_settings: StoreSettings, file: Path, tmp_path: Path, database: Database
) -> None:
    home, digest = tmp_path / "home", digest_of(file)
    putting = [start(home, store_settings, "put", file) for _ in range(2)]
    assert [process.communicate(timeout=120)[0] for process in putting] == [f"{digest}\n"] * 2
    back = tmp_path / "back"
    fetching = [start(home, store_settings, "fetch", back, digest) for _ in range(2)]
    for process in fetching:
        process.communicate(timeout=120)
        assert process.returncode == 0
    assert digest_of(back) == digest
    assert not list(tmp_path.glob(".back*"))
    assert is_clean(database)


async def test_cancelling_leaves_nothing(
    store: SharedStore, file: Path, tmp_path: Path, database: Database
) -> None:
    digest = await store.put(file)
    begun = asyncio.Event()
    folder = tmp_path / "there"
    fetching = asyncio.create_task(
        store.fetch(digest, folder / "back", ledger=Ledger(database), progress=lambda *_: begun.set())
    )
    await begun.wait()
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert list(folder.iterdir()) == []
    assert is_clean(database)


async def test_a_store_belongs_to_one_database(
    store: SharedStore, store_settings: StoreSettings, file: Path, tmp_path: Path
) -> None:
    await store.put(file)
    other = open_database(Settings(home=tmp_path / "other"))
    with other.session() as session:
        session.execute(update(DatabaseRow).values(id="00000000-0000-0000-0000-000000000001"))
    with pytest.raises(StoreError, match="belongs to another database"):
        await SharedStore(Counting(store_settings), other).put(file)
    other.close()


async def test_small_objects(store: SharedStore) -> None:
    assert await store.get_bytes("builds/b1/a.log") is None
    await store.put_bytes("builds/b1/a.log", b"line 1\n")
    await store.put_bytes("builds/b1/a.log", b"line 1\nline 2\n")
    await store.put_bytes("builds/b11/a.log", b"another build")
    assert await store.get_bytes("builds/b1/a.log") == b"line 1\nline 2\n"
    await store.delete_prefix("builds/b1")
    await store.delete_prefix("builds/b1")
    assert await store.get_bytes("builds/b1/a.log") is None
    assert await store.get_bytes("builds/b11/a.log") == b"another build"
