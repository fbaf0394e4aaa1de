"""The rows of the comparison: what each tool is told to do the job, and what it is given beforehand.

A row's ``prepare`` is done once and not measured; its ``ready`` puts away what an earlier run left. What is
measured is one command, from its start to its end, after which the VHD is there.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bench import job
from bench.job import COMMANDS, MARK, CallError, Folder, call
from bench.measured import VMWRIGHT
from vmwright.machines.machine import EMULATED

if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPTS = Path(__file__).parent / "peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: its command, the image that it makes, and what is in that besides the job's files."""

    argv: tuple[str | Path, ...]
    image: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)


class Row(Protocol):
    """A way to do the job."""

    @property
    def name(self) -> str:
        """What the row is called, on the command line, too."""

    @property
    def what(self) -> str:
        """What it is, in a few words."""

    def prepare(self, folder: Folder) -> None:
        """Do what a user does once."""

    def ready(self, folder: Folder, number: int) -> Run:
        """Return the run with this number, 1 to n."""


@dataclass(frozen=True, slots=True)
class Packer:
    """Packer's QEMU builder, on a copy of the source disk; ``processor`` is QEMU's ``-cpu``."""

    name: str
    what: str
    processor: str

    def prepare(self, folder: Folder) -> None:
        """Nothing is made once."""

    def ready(self, folder: Folder, number: int) -> Run:  # noqa: ARG002
        made = folder.of(self.name)
        (made / "job.json").write_text(json.dumps(_packer_job(folder, made, self.processor)))
        return Run(argv=(SCRIPTS / "packer.sh", made), image=made / "image.vhd")


class VirtCustomize:
    """virt-customize, whose appliance is made beforehand, emulated."""

    name = "virt-customize"
    what = "appliance, emulated"

    def prepare(self, folder: Folder) -> None:
        kernels = sorted(Path("/boot").glob("vmlinuz-*"))
        if not kernels:
            _take_kernel(folder)
        (folder.root / "appliance").mkdir(exist_ok=True)
        Path("/lib/modules").mkdir(exist_ok=True)
        disk = folder.of(self.name) / "image.qcow2"
        call("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", folder.source, disk)
        environment = (f"{name}={value}" for name, value in _guestfs_environment(folder).items())
        call("env", *environment, "virt-customize", "-q", "-a", disk, "--touch", "/opt/appliance")

    def ready(self, folder: Folder, number: int) -> Run:  # noqa: ARG002
        made = folder.of(self.name)
        commands = " && ".join((*COMMANDS, "(fstrim / || true)"))
        return Run(
            argv=(SCRIPTS / "virt-customize.sh", made, folder.source, folder.page, commands),
            environment=_guestfs_environment(folder),
            image=made / "image.vhd",
        )


class Native:
    """The same commands in a chroot on a copy of the disk: what no tool can be faster than by much."""

    name = "native"
    what = "the commands in a chroot"

    def prepare(self, folder: Folder) -> None:
        """Nothing is made once."""

    def ready(self, folder: Folder, number: int) -> Run:  # noqa: ARG002
        made = folder.of(self.name)
        partition = _root_partition(folder.raw)
        where = (str(partition["start"] * 512), str(partition["size"] * 512))
        commands = "\n".join(COMMANDS)
        return Run(
            argv=(SCRIPTS / "native.sh", made, folder.source, *where, folder.page, commands),
            image=made / "image.vhd",
        )


@dataclass(frozen=True, slots=True)
class Vmwright:
    """A build by vmwright.

    :param options: of ``vmwright build``.
    :param filled: whether the template is built once beforehand, which fills what is kept between builds.
    :param last: whether a last step follows nginx; ``changed`` whether its text is another in each run.
    """

    name: str
    what: str
    options: tuple[str, ...]
    filled: bool = True
    last: bool = False
    changed: bool = False

    def prepare(self, folder: Folder) -> None:
        if self.filled:
            run = self._run(folder, "0", "first")
            call("env", *(f"{name}={value}" for name, value in run.environment.items()), *run.argv)

    def ready(self, folder: Folder, number: int) -> Run:
        return self._run(folder, str(number) if self.changed else "0", str(number))

    def _run(self, folder: Folder, mark: str, name: str) -> Run:
        # each run's files stay until the bench is over: a later build may share their blocks
        out = folder.of(f"{self.name}-{name}")
        lines = (f"echo {mark} | sudo tee {MARK}",) if self.last else ()
        return Run(
            argv=(VMWRIGHT, "build", job.template(folder, *lines), "--out", out, *self.options),
            environment={"VMWRIGHT_HOME": str(folder.home)},
            image=out / "image.vhd",
            contents={MARK: f"{mark}\n"} if self.last else {},
        )


CONTAINER = ("--machine", "container")
# --refresh 1: every step runs, but the machine may start from its snapshot.
SNAPSHOT = ("--machine", "vm", "--refresh", "1")
ROWS: tuple[Row, ...] = (
    Packer("packer", "QEMU builder, emulated", "max"),
    Packer("packer-tuned", "the same, on vmwright's processor", EMULATED),
    VirtCustomize(),
    Vmwright("vm", "vmwright, from a snapshot, emulated", SNAPSHOT),
    Vmwright("container", "vmwright, nothing cached", (*CONTAINER, "--no-cache"), filled=False),
    Native(),
    Vmwright("cached-last-step", "vmwright, all but one step cached", CONTAINER, last=True, changed=True),
    Vmwright("cached-all", "vmwright, nothing changed", CONTAINER, last=True),
)


def _packer_job(folder: Folder, made: Path, processor: str) -> dict[str, object]:
    """Return what Packer 1.6 reads: a ``-drive`` in ``qemuargs`` takes the place of its own, so both are."""
    drive = f"file={made}/made/image.raw,if=virtio,cache=unsafe,discard=unmap,format=raw,detect-zeroes=unmap"
    seed = f"file={folder.seed},if=virtio,format=raw,readonly=on"
    builder = {
        "type": "qemu",
        "accelerator": "tcg",
        "headless": True,
        "disk_image": True,
        "iso_url": str(folder.source.resolve()),
        "iso_checksum": "none",
        "format": "raw",
        "disk_size": "4096M",
        "skip_resize_disk": True,
        "skip_compaction": True,
        "output_directory": f"{made}/made",
        "vm_name": "image.raw",
        "ssh_username": "packer",
        "ssh_password": "packer",
        "ssh_timeout": "20m",
        "cpus": os.cpu_count(),
        "memory": 2048,
        "disk_interface": "virtio",
        "net_device": "virtio-net",
        "qemuargs": [
            ["-cpu", processor],
            ["-smbios", "type=1,serial=ds=nocloud"],
            ["-drive", drive],
            ["-drive", seed],
        ],
        "shutdown_command": "sudo systemctl poweroff",
        "shutdown_timeout": "5m",
        "boot_wait": "1s",
    }
    commands = [*(f"sudo {command}" for command in COMMANDS), "sudo fstrim / || true"]
    return {
        "builders": [builder],
        "provisioners": [
            {"type": "file", "source": str(folder.page), "destination": "/tmp/page.html"},  # noqa: S108
            {"type": "shell", "inline": commands},
        ],
    }


def _take_kernel(folder: Folder) -> None:
    """Take a kernel and its modules from the source disk, for a host that has none of its own."""
    kernel = folder.kernel
    if (kernel / "modules").exists():
        return
    kernel.mkdir(exist_ok=True)
    root = f"{folder.raw}?offset={_root_partition(folder.raw)['start'] * 512}"
    names = call("debugfs", "-R", "ls -p /boot", root)
    found = re.findall(r"/vmlinuz-([^/\n]+)/", names)
    if not found:
        raise CallError("the source disk has no kernel in /boot")
    version = max(found)
    (kernel / "version").write_text(version)
    call("debugfs", "-R", f"dump /boot/vmlinuz-{version} {kernel}/vmlinuz", root)
    call("debugfs", "-R", f"rdump /lib/modules/{version} {kernel}", root)
    (kernel / version).rename(kernel / "modules")


def _guestfs_environment(folder: Folder) -> dict[str, str]:
    environment = {
        "LIBGUESTFS_BACKEND": "direct",
        "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg",
        "LIBGUESTFS_CACHEDIR": str(folder.root / "appliance"),
    }
    kernel = folder.kernel
    if (kernel / "modules").exists():
        environment |= {
            "SUPERMIN_KERNEL": str(kernel / "vmlinuz"),
            "SUPERMIN_KERNEL_VERSION": (kernel / "version").read_text(),
            "SUPERMIN_MODULES": str(kernel / "modules"),
        }
    return environment


def _root_partition(raw: Path) -> dict[str, int]:
    """Return the largest partition of a raw disk; its ``start`` and ``size`` are in sectors of 512 bytes."""
    partitions = json.loads(call("sfdisk", "--json", raw))["partitiontable"]["partitions"]
    largest: dict[str, int] = max(partitions, key=lambda one: one["size"])
    return largest
