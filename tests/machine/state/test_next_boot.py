"""A restart of the host: namespaces end with all that is in them, and the next ones have another boot id."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from vmwright import process
from vmwright.machines.cgroup import Cgroup
from vmwright.machines.cgroup_trees import folders_of, hierarchies
from vmwright.machines.cgroup_trees import kill_all as kill_all_in
from vmwright.process import which

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.machine

SECONDS = 60.0
BOOT = """
import asyncio, json, os, sys
from pathlib import Path
from vmwright import marks, process
from vmwright.workers.reaper import clear_up
from vmwright.disks.mounts import mounted
from vmwright.events import Events
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.host import boot_id
from vmwright.state.resources import Ledger, ResourceKind, abandoned

folder, boot, name, token = Path(sys.argv[1]), *sys.argv[2:]
owned, alien, full = folder / "owned", folder / "mount", folder / "full"
disk = folder / "disk.raw"

async def begin():
    file = folder / boot
    file.write_text(boot + "\\n")
    await process.run(["mount", "--bind", file, "/proc/sys/kernel/random/boot_id"], timeout=10)
    assert boot_id() == boot
    return open_database(Settings(home=folder / "home"))

def say(**what):
    print(json.dumps(what), flush=True)
"""
FIRST = """
async def main():
    database = await begin()
    ledger = Ledger(database)
    for path in (owned, full):
        ledger.claim(ResourceKind.PATH, path)
        (path / "deep").mkdir(parents=True)
    ledger.claim(ResourceKind.MOUNT, alien)
    alien.mkdir()
    await process.run(["mount", "-t", "tmpfs", "ours", alien], timeout=10)
    ledger.claim(ResourceKind.LOOP, disk)
    ledger.claim(ResourceKind.CGROUP, name)
    ledger.claim(ResourceKind.PROCESS, token)
    await process.start(["sleep", "600"], log=folder / "log", env=marks.marked(token))
    say(claims=6)
    await asyncio.sleep(600)

asyncio.run(main())
"""
SECOND = """
async def main():
    said = []
    database = await begin()
    left = [resource.kind for resource in abandoned(database)]
    # whatever has such a name by now was made by others
    for path in (alien, full / "deep"):
        await process.run(["mount", "-t", "tmpfs", "theirs", path], timeout=10)
        (path / "file").touch()
    disk.write_bytes(bytes(1 << 20))
    await process.run(["losetup", "--find", disk], timeout=10)
    others = await process.start(["sleep", "600"], log=folder / "log", env=marks.marked(token))
    await clear_up(database, Events(lambda event: said.append(event.message)))
    loops = (await process.run(["losetup", "--associated", disk], timeout=10)).text
    say(
        left=left, said=said, rows=[row.kind for row in abandoned(database)], owned=owned.exists(),
        theirs=[(path / "file").exists() for path in (alien, full / "deep")],
        program=others.returncode, loops=loops.count("/dev/loop"),
    )
    await process.run(["losetup", "--detach", loops.partition(":")[0]], timeout=10)
    await process.run(["umount", full / "deep"], timeout=10)
    await clear_up(database, Events())
    say(rows=[row.kind for row in abandoned(database)], full=full.exists())

asyncio.run(main())
"""


async def booted(code: str, folder: Path, *told: str) -> asyncio.subprocess.Process:
    """Run Python as the first process of new namespaces, in another boot of this host."""
    unshare = which("unshare") or ""
    namespaces = [unshare, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    python = [sys.executable, "-c", BOOT + code, str(folder), str(uuid.uuid4()), *told]
    return await asyncio.create_subprocess_exec(*namespaces, *python, stdout=asyncio.subprocess.PIPE)


async def heard(boot: asyncio.subprocess.Process) -> dict[str, Any]:
    assert boot.stdout
    async with asyncio.timeout(SECONDS):
        said: dict[str, Any] = json.loads(await boot.stdout.readline())
    return said


@pytest.fixture
def anothers_cgroup() -> Iterator[Cgroup]:
    group = Cgroup(f"vwboot-{uuid.uuid4().hex[:8]}", hierarchies())
    group.make()
    yield group
    kill_all_in(group.name)
    for folder in folders_of(group.name):
        folder.rmdir()


async def test_files_of_the_boot_before_are_removed_and_nothing_else_is_touched(
    tmp_path: Path, anothers_cgroup: Cgroup
) -> None:
    told = (anothers_cgroup.name, f"token-{uuid.uuid4().hex}")
    first = await booted(FIRST, tmp_path, *told)
    assert await heard(first) == {"claims": 6}
    first.kill()
    await first.wait()
    inside = await process.start([*anothers_cgroup.start_in(), "sleep", "600"], log=tmp_path / "log")
    second = await booted(SECOND, tmp_path, *told)
    try:
        after = await heard(second)
        assert after.pop("left") == ["process", "cgroup", "loop", "mount", "path", "path"]
        said = after.pop("said")
        assert f"{tmp_path}/full/deep is mounted, and not by a build" in said[-1] + said[-2]
        assert after == {
            "rows": ["path"],
            "owned": False,
            "theirs": [True, True],
            "program": None,
            "loops": 1,
        }
        assert await heard(second) == {"rows": [], "full": False}
        assert inside.returncode is None
        assert await second.wait() == 0
    finally:
        await inside.end()
