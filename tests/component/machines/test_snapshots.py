"""The memory snapshots of a home: made, found, used, damaged, removed."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from pathlib import Path

import pytest

from tests.unit.machines.test_snapshot_keys import KEY
from vmwright.artifacts.duplicates import duplicate
from vmwright.caching import pruning
from vmwright.errors import MachineError
from vmwright.machines.seed import new_access
from vmwright.machines.snapshot import DISK, KNOWN, MEMORY, Snapshot
from vmwright.machines.snapshot_key import SnapshotKey
from vmwright.machines.snapshots import Making, Snapshots, bytes_of
from vmwright.machines.vm_identity import VmIdentity
from vmwright.settings import Settings, SnapshotSettings
from vmwright.state.database import Database
from vmwright.state.resources import Ledger
from vmwright.state.tables import ResourceRow

OTHER = dataclasses.replace(KEY, source="bb")
IDENTITY = VmIdentity(name="saved", access=new_access("packer"))


@pytest.fixture
def snapshots(settings: Settings, database: Database) -> Snapshots:
    return Snapshots(settings.home, Ledger(database))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.qcow2"
    path.write_bytes(b"base")
    return path


async def finish(making: Making, base: Path) -> bool:
    making.disk.write_bytes(b"disk")
    os.write(making.memory, b"memory" * 1000)
    return await making.finish(IDENTITY, base=base, description="a source", session=7)


async def make(snapshots: Snapshots, base: Path, key: SnapshotKey = KEY) -> bool:
    with snapshots.making(key) as making:
        return await finish(making, base)


def there(snapshots: Snapshots) -> Snapshot:
    with snapshots.found(KEY) as snapshot:
        assert snapshot is not None
        return snapshot


def claims(database: Database) -> list[str]:
    with database.session() as session:
        return [row.identity for row in session.query(ResourceRow)]


async def test_one_is_found_by_its_key_with_what_its_guest_knows(
    snapshots: Snapshots, base: Path, database: Database
) -> None:
    with snapshots.found(KEY) as nothing:
        assert nothing is None
    assert await make(snapshots, base)
    snapshot = there(snapshots)
    with snapshots.found(OTHER) as nothing:
        assert nothing is None
    assert snapshot.fault_at_sight(base) is None
    await snapshot.require_undamaged()
    identity = snapshot.identity
    assert (identity.name, identity.mac, identity.vm_id) == ("saved", IDENTITY.mac, IDENTITY.vm_id)
    assert identity.access.authorized_key == IDENTITY.access.authorized_key
    assert snapshot.known.session == 7
    assert claims(database) == []


async def test_it_is_for_this_user_alone(snapshots: Snapshots, base: Path) -> None:
    await make(snapshots, base)
    folder = there(snapshots).folder
    modes = {path.name: path.stat().st_mode & 0o777 for path in (snapshots.folder, folder)}
    assert set(modes.values()) == {0o700}
    assert {(folder / name).stat().st_mode & 0o777 for name in (KNOWN, MEMORY)} == {0o600}


async def test_the_hosts_private_key_is_not_kept(snapshots: Snapshots, base: Path) -> None:
    await make(snapshots, base)
    private = IDENTITY.access.host_key.export_private_key().decode()
    assert private.splitlines()[3] not in (there(snapshots).folder / KNOWN).read_text()


async def test_of_two_that_are_made_at_once_the_first_stays(
    snapshots: Snapshots, base: Path, database: Database
) -> None:
    with snapshots.making(KEY) as one, snapshots.making(KEY) as other:
        assert await finish(one, base)
        first = there(snapshots).known
        assert not await finish(other, base)
    assert there(snapshots).known == first
    assert [path.name for path in snapshots.folder.iterdir()] == [KEY.digest]
    assert claims(database) == []


async def test_one_that_is_not_finished_leaves_nothing(
    snapshots: Snapshots, base: Path, database: Database
) -> None:
    async def begin() -> None:
        with snapshots.making(KEY) as making:
            making.disk.write_bytes(b"disk")
            assert len(claims(database)) == 1
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await begin()
    assert list(snapshots.folder.iterdir()) == []
    assert claims(database) == []


@pytest.mark.parametrize("name", [DISK, MEMORY])
async def test_a_changed_byte_is_noticed(snapshots: Snapshots, base: Path, name: str) -> None:
    await make(snapshots, base)
    snapshot = there(snapshots)
    with (snapshot.folder / name).open("r+b") as file:
        file.seek(2)
        file.write(b"X")
    assert snapshot.fault_at_sight(base) is None
    with pytest.raises(MachineError, match=f"{name} is damaged"):
        await snapshot.require_undamaged()


async def test_what_is_short_or_gone_is_seen_at_once(snapshots: Snapshots, base: Path) -> None:
    await make(snapshots, base)
    snapshot = there(snapshots)
    with snapshot.memory.open("r+b") as file:
        file.truncate(100)
    assert snapshot.fault_at_sight(base) == "memory is not whole"
    snapshot.disk.unlink()
    assert snapshot.fault_at_sight(base) == f"{DISK} is not whole"
    assert "is gone" in (snapshot.fault_at_sight(base.with_name("another.qcow2")) or "")
    base.unlink()
    assert "is gone" in (snapshot.fault_at_sight(base) or "")


@pytest.mark.parametrize("text", ["", "{}", "\udce4"])
async def test_one_of_which_nothing_is_known_is_none_and_makes_room(
    snapshots: Snapshots, base: Path, text: str
) -> None:
    await make(snapshots, base)
    (there(snapshots).folder / KNOWN).write_text(text, errors="surrogateescape")
    with snapshots.found(KEY) as snapshot:
        assert snapshot is None
    assert snapshots.remove(KEY.digest)
    assert await make(snapshots, base)


async def test_none_is_removed_while_a_build_uses_it(
    snapshots: Snapshots, base: Path, database: Database
) -> None:
    await make(snapshots, base)
    with snapshots.found(KEY), snapshots.found(KEY):
        assert not snapshots.remove(KEY.digest)
    assert snapshots.remove(KEY.digest)
    assert snapshots.remove(KEY.digest)
    assert list(snapshots.folder.iterdir()) == []
    assert claims(database) == []


async def test_they_are_listed_by_their_last_use(snapshots: Snapshots, base: Path) -> None:
    assert snapshots.all() == []
    for key in (KEY, OTHER):
        await make(snapshots, base, key)
    with snapshots.making(dataclasses.replace(KEY, source="cc")) as making:
        making.disk.write_bytes(b"disk")
        os.utime(snapshots.folder / KEY.digest / KNOWN, (1, 1))
        assert [each.known.key for each in snapshots.all()] == [OTHER.digest, KEY.digest]
        os.utime(snapshots.folder / OTHER.digest / KNOWN, (2, 2))
        there(snapshots)
        assert [each.known.key for each in snapshots.all()] == [KEY.digest, OTHER.digest]


async def test_what_layers_still_stand_on_is_not_counted(
    snapshots: Snapshots, base: Path, tmp_path: Path
) -> None:
    await make(snapshots, base)
    snapshot = there(snapshots)
    alone = bytes_of(snapshot)
    await duplicate(snapshot.disk, tmp_path / "layer.qcow2")
    assert 0 < bytes_of(snapshot) < alone
    snapshots.remove(KEY.digest)
    assert (tmp_path / "layer.qcow2").read_bytes() == b"disk"


async def test_the_cache_lists_it_and_gives_it_up_when_it_is_too_large(
    snapshots: Snapshots, base: Path, settings: Settings, database: Database
) -> None:
    for key in (KEY, OTHER):
        await make(snapshots, base, key)
    os.utime(snapshots.folder / KEY.digest / KNOWN, (1, 1))
    (_, oldest) = listed = pruning.snapshots(database, settings)
    assert (oldest.id, oldest.kind, oldest.build) == (KEY.digest, pruning.Kind.SNAPSHOT, "")
    assert oldest.step == "memory snapshot: a source"
    pruning.prune(database, settings, most_bytes=sum(one.size_bytes for one in listed) - 1)
    assert [one.id for one in pruning.snapshots(database, settings)] == [OTHER.digest]
    pruning.bound(database, settings)
    assert len(pruning.snapshots(database, settings)) == 1
    none = settings.model_copy(update={"snapshots": SnapshotSettings(max_size_gib=0)})
    pruning.bound(database, none)
    assert not pruning.snapshots(database, settings)
