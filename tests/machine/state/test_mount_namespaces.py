"""Nothing stays of an owner in a mount namespace of its own, as in a container or a sandbox of systemd."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.host_traces import traces
from tests.owners import dead, owner
from vmwright.events import Events
from vmwright.machines.cgroup_trees import folders_of, members
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.workers.reaper import clear_up

pytestmark = pytest.mark.machine

NAME = f"vwspace-{os.getpid()}"
CONTAINER = f"""
from vmwright.machines.container import ContainerMachine
from vmwright.machines.machine import MachineSpec
from vmwright.template.model import Generation

work = folder / "build"
ledger.claim(ResourceKind.PATH, work)
work.mkdir()
disk = work / "layer0.qcow2"
argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", os.environ["DISK"], disk]
await process.run(argv, timeout=30)
spec = MachineSpec(name="{NAME}", folder=work, cpus=2, memory_mib=1024, generation=Generation.V1)
machine = ContainerMachine(spec, ledger, events)
guest = await machine.start(disk)
await guest.run("dd if=/dev/zero of=/var/tmp/unwritten bs=1M count=64 status=none", sink=lambda *_: None)
say(daemon=machine._daemon.running.pid)
await asyncio.sleep(600)
"""
UNSHARED = ("unshare", "--mount", "--propagation", "private", "--")


def everything_in(space: Path) -> set[int]:
    """Return the processes of a mount namespace."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/ns/mnt"):
        try:
            if link.readlink() == space:
                found.add(int(link.parts[2]))
        except OSError:
            continue
    return found


async def test_a_storage_daemon_that_dies_last_does_not_wait_for_itself(
    debian_disk: Path, tmp_path: Path
) -> None:
    environment = {"DISK": str(debian_disk)}
    async with owner(CONTAINER, tmp_path, inside=UNSHARED, environment=environment) as one:
        daemon = (await one.says())["daemon"]
        space = Path(f"/proc/{daemon}/ns/mnt").readlink()
        others = (everything_in(space) | set(members(folders_of(NAME)))) - {daemon}
        assert one.pid in others
        for pid in others:  # so that none does anything about the end of another
            os.kill(pid, signal.SIGSTOP)
        for pid in others:
            os.kill(pid, signal.SIGKILL)
        await one.process.wait()
        await dead(*others)
        assert everything_in(space) == {daemon}
        os.kill(daemon, signal.SIGKILL)
        await dead(daemon)
    database = open_database(Settings(home=tmp_path / "home"))
    await clear_up(database, Events())
    database.close()
    assert traces(tmp_path) == set()
