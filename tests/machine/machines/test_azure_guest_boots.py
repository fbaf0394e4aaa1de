"""Guests that believe they are on Azure: with Azure's agent, and with a cloud-init that knows only Azure."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.image_trees import mounted
from tests.scripted import Recorder
from vmwright.artifacts.facts import Provisioning
from vmwright.builds import deprovisioning, generalize
from vmwright.disks.attach import AttachedRoot
from vmwright.disks.qemu_img import DiskFormat, create_overlay
from vmwright.disks.storage_daemon import StorageDaemon
from vmwright.events import Events, Level, Notice
from vmwright.guests.linux import LinuxGuest
from vmwright.machines.machine import AzureEnvironment, MachineSpec
from vmwright.machines.qemu import QemuMachine
from vmwright.settings import Settings
from vmwright.state.database import Database, open_database
from vmwright.state.resources import Ledger
from vmwright.state.tables import ResourceRow
from vmwright.template.model import Generation

pytestmark = [pytest.mark.machine, pytest.mark.emulated, pytest.mark.slow]

IMDS = "curl -sf -H Metadata:true http://169.254.169.254/metadata"
LOCATION = f"{IMDS}/instance/compute/location?api-version=2021-02-01\\&format=text"
TOKEN = f"{IMDS}/identity/oauth2/token?api-version=2018-02-01\\&resource=https://vault.azure.net"
AGENTS_GOAL = "cd /var/lib/waagent; until test -e provisioned -a -e GoalState.1.xml; do sleep 1; done"
# the script too: systemd would make a unit of it
AGENT = ("usr/sbin/waagent", "lib/systemd/system/walinuxagent.service", "etc/init.d/walinuxagent")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(Settings(home=tmp_path / "home"))
    yield database
    database.close()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@contextlib.asynccontextmanager
async def azure_machine(
    folder: Path, database: Database, events: Events, *, generation: Generation
) -> AsyncIterator[QemuMachine]:
    spec = MachineSpec(
        name="on-azure",
        folder=folder,
        cpus=2,
        memory_mib=2048,
        generation=generation,
        azure=AzureEnvironment(location="westus2", vm_size="Standard_D2ds_v4"),
    )
    machine = QemuMachine(spec, Ledger(database), events)
    try:
        yield machine
    finally:
        await machine.destroy()


async def text(guest: LinuxGuest, command: str) -> str:
    return (await guest.ask("sh", "-c", command, as_root=True)).stdout.decode().strip()


async def believes_in_azure(guest: LinuxGuest, recorder: Recorder) -> None:
    notices = recorder.of(Notice)
    assert [each.message for each in notices if each.level is Level.WARNING] == []
    assert "The guest reports that it is provisioned" in [each.message for each in notices]
    assert await text(guest, "cat /run/cloud-init/cloud-id") == "azure"
    assert await text(guest, "systemd-detect-virt") == "microsoft"
    assert await text(guest, "hostname") == "on-azure"
    assert await text(guest, LOCATION) == "westus2"
    assert (await guest.ask("sh", "-c", TOKEN, check=False)).exit_code == 22  # curl: an error of HTTP


async def generalized(machine: QemuMachine, guest: LinuxGuest, events: Events) -> None:
    await deprovisioning.write_script(guest)
    agents = await generalize.agents_of(guest)
    await generalize.generalize(guest, events, agents, script=deprovisioning.DEFAULT)
    await machine.power_off()


def nothing_of_the_build_is_left(root: Path) -> None:
    assert "packer" not in (root / "etc/passwd").read_text()
    for name in (
        "home/packer",
        "root/.ssh/authorized_keys",
        "etc/sudoers.d/90-cloud-init-users",
        "etc/ssh/ssh_host_ed25519_key",
        "var/lib/waagent/ovf-env.xml",
        "var/lib/waagent/provisioned",
        "var/lib/cloud/instance",
    ):
        assert not os.path.lexists(root / name), name


@pytest.mark.timeout(1500)
async def test_an_unmodified_azure_image_provisions_reports_ready_and_deprovisions(
    tmp_path: Path, debian_disk: Path, database: Database, recorder: Recorder
) -> None:
    disk, events = tmp_path / "disk.qcow2", Events(recorder)
    await create_overlay(disk, backing=debian_disk, backing_format=DiskFormat.QCOW2)
    async with azure_machine(tmp_path, database, events, generation=Generation.V1) as machine:
        guest = await machine.start(disk)
        await believes_in_azure(guest, recorder)
        assert await guest.run(f"timeout 400 sh -c {AGENTS_GOAL!r}", as_root=True, sink=lambda *_: None) == 0
        assert (await generalize.agents_of(guest)).provisioning is Provisioning.AZURE
        await generalized(machine, guest, events)
    with database.session() as session:
        assert session.query(ResourceRow).all() == []
    async with mounted(disk, tmp_path / "look", Ledger(database)) as root:
        nothing_of_the_build_is_left(root)


async def without_agent(disk: Path, work: Path, ledger: Ledger) -> None:
    """Take waagent from a disk and let its cloud-init know Azure only."""
    work.mkdir()
    async with (
        StorageDaemon(disk, work / "disk.raw", ledger) as daemon,
        AttachedRoot(daemon.raw, work / "root", ledger) as root,
    ):
        for name in AGENT:
            (root.seen / name).unlink()
        sources = root.seen / "etc/cloud/cloud.cfg.d/99-test.cfg"
        sources.write_text("datasource_list: [ Azure ]\n")


@pytest.mark.timeout(1500)
async def test_a_cloud_init_that_knows_azure_alone_provisions_and_restarts(
    tmp_path: Path, debian_disk: Path, database: Database, recorder: Recorder
) -> None:
    disk, events, ledger = tmp_path / "disk.qcow2", Events(recorder), Ledger(database)
    await create_overlay(disk, backing=debian_disk, backing_format=DiskFormat.QCOW2)
    await without_agent(disk, tmp_path / "change", ledger)
    async with azure_machine(tmp_path, database, events, generation=Generation.V2) as machine:
        guest = await machine.start(disk)
        await believes_in_azure(guest, recorder)
        assert await guest.run("systemctl reboot", as_root=True, sink=lambda *_: None) in {0, None, 143}
        assert await machine.settle(timeout=600)
        # the platform is asked anew at each boot, for the network's configuration
        assert await text(guest, LOCATION) == "westus2"
        assert (await generalize.agents_of(guest)).provisioning is Provisioning.AZURE
        await generalized(machine, guest, events)
    async with mounted(disk, tmp_path / "look", ledger) as root:
        nothing_of_the_build_is_left(root)
        assert not (root / "var/lib/waagent").exists()
