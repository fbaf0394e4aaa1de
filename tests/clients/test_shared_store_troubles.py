"""A store that goes away, refuses or is not there; a disk that is full; files that are mostly holes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import socket
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import stamina
from pydantic import SecretStr
from sqlalchemy import select

from tests.object_servers import ACCOUNT, CONTAINER, S3_SECRET, Azurite, S3Server, started_azurite, started_s3
from vmwright.artifacts import ArtifactStore, SharedStore, object_store
from vmwright.artifacts.chunks import CHUNK_BYTES
from vmwright.artifacts.object_store import ObjectStore
from vmwright.errors import StoreError
from vmwright.process import run
from vmwright.settings import SecretReference, Settings, StoreSettings
from vmwright.state.database import Database, open_database
from vmwright.state.resources import Ledger
from vmwright.state.tables import ArtifactRow, ResourceRow

MIB = 1 << 20
GIB = 1 << 30


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield database
    database.close()


@pytest.fixture
def real_waits() -> Iterator[None]:
    stamina.set_testing(False)
    yield
    stamina.set_testing(True, attempts=10)


@pytest.fixture
async def small_disk(tmp_path: Path) -> AsyncIterator[Path]:
    """A file system with room for one chunk, but not for two."""
    if os.geteuid():
        pytest.skip("a file system is mounted by root only")
    folder = tmp_path / "small"
    folder.mkdir()
    await run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", folder], timeout=30)
    yield folder
    await run(["umount", folder], timeout=30)


def open_store(settings: StoreSettings, database: Database) -> SharedStore:
    return SharedStore(ObjectStore(str(settings.url), settings), database)


def is_clean(database: Database) -> bool:
    with database.session() as session:
        return session.scalars(select(ResourceRow)).all() == []


async def failure_of(store: SharedStore) -> StoreError:
    with pytest.raises(StoreError) as caught:
        await store.put_bytes("builds/b1/a.log", b"")
    return caught.value


@pytest.mark.usefixtures("real_waits")
async def test_a_store_that_comes_back_is_waited_for(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "disk"
    path.write_bytes(os.urandom(6 * CHUNK_BYTES))
    folder = tmp_path / "azurite"
    folder.mkdir()
    sent = asyncio.Event()
    with contextlib.ExitStack() as first:
        azurite = first.enter_context(started_azurite(folder))
        monkeypatch.setenv("SSL_CERT_FILE", str(azurite.ca))
        azurite.make_container()
        store = open_store(azurite.store("p"), database)
        putting = asyncio.create_task(store.put(path, progress=lambda *_: sent.set()))
        await sent.wait()
        await asyncio.to_thread(first.close)
    assert not putting.done()
    with started_azurite(folder, port=azurite.port):
        digest = await putting
        await store.fetch(digest, tmp_path / "back", ledger=Ledger(database))
    assert (tmp_path / "back").read_bytes() == path.read_bytes()


@pytest.mark.usefixtures("real_waits")
async def test_a_store_that_stays_away_fails_what_needs_it_and_loses_nothing(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "RETRY_SECONDS", 1.0)
    path, other = tmp_path / "disk", tmp_path / "other"
    path.write_bytes(b"a disk" * MIB)
    other.write_bytes(b"another disk")
    with started_s3(tmp_path) as server:
        store = open_store(server.store("p"), database)
        artifacts = ArtifactStore(tmp_path / "home", database, store)
        digest = (await artifacts.adopt(path, "qcow2")).digest
    with pytest.raises(StoreError, match=r"Connection refused .*tried for 1 seconds"):
        await artifacts.adopt(other, "qcow2")
    assert other.read_bytes() == b"another disk"
    with pytest.raises(StoreError, match="cannot be used"):
        await store.fetch(digest, tmp_path / "back", ledger=Ledger(database))
    assert not (tmp_path / "back").exists()
    assert is_clean(database)
    # what is on this host needs no store
    assert (await artifacts.fetch(digest)).path.read_bytes() == b"a disk" * MIB
    with database.session() as session:
        assert [row.digest for row in session.scalars(select(ArtifactRow))] == [digest]


async def test_a_full_disk_is_said_and_left_as_it_was(
    store_settings: StoreSettings, tmp_path: Path, database: Database, small_disk: Path
) -> None:
    store = open_store(store_settings, database)
    path = tmp_path / "disk"
    path.write_bytes(os.urandom(2 * CHUNK_BYTES))
    digest = await store.put(path)
    with pytest.raises(StoreError, match=r"back cannot be written: No space left on device") as caught:
        await store.fetch(digest, small_disk / "back", ledger=Ledger(database))
    assert "room" in (caught.value.hint or "")
    assert list(small_disk.iterdir()) == []
    assert is_clean(database)


async def test_a_full_shared_folder(tmp_path: Path, database: Database, small_disk: Path) -> None:
    store = open_store(StoreSettings(url=small_disk.as_uri()), database)
    path = tmp_path / "disk"
    path.write_bytes(os.urandom(3 * CHUNK_BYTES))
    with pytest.raises(StoreError, match="No space left on device"):
        await store.put(path)
    assert not await store.has(hashlib.sha256(path.read_bytes()).hexdigest())


async def test_holes_cost_nothing(store_settings: StoreSettings, tmp_path: Path, database: Database) -> None:
    path, back = tmp_path / "disk.raw", tmp_path / "back.raw"
    with path.open("wb") as file:
        file.truncate(4 * GIB)
        file.seek(3 * GIB)
        file.write(b"data")
    told: list[tuple[int, int]] = []
    store = open_store(store_settings, database)
    digest = await store.put(path, progress=lambda *so_far: told.append(so_far))
    assert told == [(CHUNK_BYTES, CHUNK_BYTES)]
    await store.fetch(digest, back, ledger=Ledger(database))
    assert back.stat().st_size == 4 * GIB
    assert back.stat().st_blocks * 512 <= 2 * MIB


@pytest.mark.parametrize("cause", ["another key", "expired", "no base64", "by a file"])
async def test_a_credential_is_in_no_error(
    azurite: Azurite, database: Database, tmp_path: Path, cause: str
) -> None:
    azurite.make_container()
    good = azurite.store("p")
    secret = {
        "another key": base64.b64encode(b"another key than that").decode(),
        "expired": azurite.sas(hours=-1),
        "no base64": "the secret is no base64!",
        "by a file": base64.b64encode(b"a key in a file").decode(),
    }[cause]
    options: dict[str, SecretStr | SecretReference] = {**good.options, "account_key": SecretStr(secret)}
    if cause == "expired":
        del options["account_key"]
        options["sas_key"] = SecretStr(secret)
    if cause == "by a file":
        file = tmp_path / "key"
        file.write_text(secret)
        options["account_key"] = SecretReference(file=file)
    error = await failure_of(open_store(StoreSettings(url=good.url, options=options), database))
    shown = "".join(traceback.format_exception(error)) + (error.hint or "")
    assert str(good.url) in error.message
    assert secret not in shown
    assert "sig=" not in shown
    assert "store.options" in shown


async def test_what_is_wrong_with_a_store_is_said(
    azurite: Azurite, s3: S3Server, database: Database, tmp_path: Path
) -> None:
    good = azurite.store("p").options

    async def said(url: str, options: dict[str, SecretStr | SecretReference]) -> str:
        return (await failure_of(open_store(StoreSettings(url=url, options=options), database))).message

    of_s3 = s3.store("p").options
    assert "there is no such container" in await said("az://missing/p", good)
    assert "there is no such bucket" in await said("s3://missing/p", of_s3)
    assert "there is no such folder" in await said((tmp_path / "missing").as_uri(), {})
    assert "for object storage" in await said(tmp_path.as_uri(), good)
    assert "'nonsense' is not valid" in await said(
        f"az://{CONTAINER}/p", {**good, "nonsense": SecretStr("x")}
    )
    nobody = SecretReference(env="VMWRIGHT_TESTS_SET_NO_SUCH_THING")
    assert "is not set" in await said("s3://missing/p", {**of_s3, "secret_access_key": nobody})


@pytest.mark.usefixtures("real_waits")
async def test_a_server_that_never_answers_fails_in_bounded_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "REQUEST_SECONDS", 1)
    monkeypatch.setattr(object_store, "RETRY_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        error = await failure_of(open_store(S3Server(endpoint).store("p"), database))
    assert "did not answer in time" in error.message


@pytest.mark.usefixtures("real_waits")
async def test_a_server_whose_certificate_is_not_trusted_is_not_asked_again(
    azurite: Azurite, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    error = await failure_of(open_store(azurite.store("p"), database))
    assert "certificate is not trusted" in error.message
    assert "SSL_CERT_FILE" in (error.hint or "")


async def test_the_clouds_own_variables_count(
    azurite: Azurite, s3: S3Server, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    azurite.make_container()
    for name, value in {
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": azurite.key,
        "AZURE_STORAGE_ENDPOINT": azurite.endpoint,
        "AWS_ACCESS_KEY_ID": "AKIDvmwright",
        "AWS_SECRET_ACCESS_KEY": S3_SECRET,
        "AWS_ENDPOINT_URL": s3.endpoint,
    }.items():
        monkeypatch.setenv(name, value)
    for url in (azurite.store("variables").url, s3.store("variables").url):
        store = open_store(StoreSettings(url=url), database)
        await store.put_bytes("builds/b1/a.log", b"a line")
        assert await store.get_bytes("builds/b1/a.log") == b"a line"
