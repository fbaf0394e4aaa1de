"""The job that all do: a Debian 12 disk, one file copied, nginx installed, a fixed VHD.

What the guest is told is said once, here, and each tool is given it in its own form.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SEED_BYTES = 1 << 20
READ_BYTES = 1 << 22
PAGE = "<h1>An image like any other</h1>\n"
COPIED = "/opt/page.html"
# Each line is run as root, with the page in /tmp/page.html.
COMMANDS = (
    f"install -m 0644 /tmp/page.html {COPIED}",
    "apt-get update -q",
    "DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends nginx",
    "rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb",
)
NGINX = "/usr/sbin/nginx"
MARK = "/opt/run.txt"
SOURCE = {
    "type": "PlatformImage",
    "publisher": "Debian",
    "offer": "debian-12",
    "sku": "12",
    "version": "latest",
}
URN = "Debian:debian-12:12"


class CallError(Exception):
    """A program of the preparation failed, with what it said."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The files that a bench works with: made once by ``prepare``, never written by what is measured."""

    root: Path

    @property
    def source(self) -> Path:
        """The source disk, as qcow2."""
        return self.root / "source.qcow2"

    @property
    def raw(self) -> Path:
        """The same disk, raw and sparse, for tools that look into it."""
        return self.root / "source.raw"

    @property
    def page(self) -> Path:
        """The file that is copied."""
        return self.root / "page.html"

    @property
    def seed(self) -> Path:
        """A NoCloud disk with a user ``packer``, for what logs in to a guest that has none."""
        return self.root / "seed.img"

    @property
    def kernel(self) -> Path:
        """A kernel of the source disk, with its modules, where the host has none."""
        return self.root / "kernel"

    @property
    def homes(self) -> Path:
        """Where vmwright's homes are."""
        return self.root / "homes"

    @property
    def home(self) -> Path:
        """The home of the comparison."""
        return self.homes / "home"

    @property
    def rows(self) -> Path:
        """Where images are made."""
        return self.root / "rows"

    def of(self, row: str) -> Path:
        """Return the empty folder in which a row makes its image."""
        folder = self.rows / row
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def prepare(self, source: Path) -> None:
        """Make what is not there."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.page.write_text(PAGE)
        if self.source.resolve() != source.resolve():
            self.source.unlink(missing_ok=True)
            self.raw.unlink(missing_ok=True)
            shutil.rmtree(self.kernel, ignore_errors=True)
            self.source.symlink_to(source.resolve())
        if not self.raw.exists():
            part = self.raw.with_suffix(".part")
            call("qemu-img", "convert", "-O", "raw", self.source, part)
            part.rename(self.raw)
        if not self.seed.exists():
            make_seed(self.seed)

    def warm(self) -> None:
        """Bring the host to where each run begins: nothing left to write, the source disk in memory."""
        call("sync")
        _read_data(self.source)


def template(folder: Folder, *lines: str, **properties: object) -> Path:
    """Write the job as an image template.

    :param lines: make one further, last Shell step.
    """
    steps: list[dict[str, object]] = [
        {"type": "File", "name": "page", "sourceUri": folder.page.as_uri(), "destination": "/tmp/page.html"},  # noqa: S108
        {"type": "Shell", "name": "nginx", "inline": [f"sudo {command}" for command in COMMANDS]},
    ]
    if lines:
        steps.append({"type": "Shell", "name": "last", "inline": list(lines)})
    return write_template(folder.root / "job.json", steps, **properties)


def write_template(file: Path, customize: list[dict[str, object]], **properties: object) -> Path:
    """Write a template with these steps; without ``distribute`` among its properties it makes one VHD."""
    document = {
        "type": "Microsoft.VirtualMachineImages/imageTemplates",
        "apiVersion": "2020-02-14",
        "location": "westus2",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"<imgBuilderId>": {}}},
        "properties": {
            "source": SOURCE,
            "customize": customize,
            "distribute": [{"type": "VHD", "runOutputName": "image"}],
            **properties,
        },
    }
    file.write_text(json.dumps(document, indent=2))
    return file


def make_seed(seed: Path) -> None:
    """Write a NoCloud disk whose user ``packer``, with the same password, may become root."""
    user_data = seed.with_name("user-data")
    meta_data = seed.with_name("meta-data")
    user = {
        "name": "packer",
        "groups": "sudo",
        "shell": "/bin/bash",
        "lock_passwd": False,
        "plain_text_passwd": "packer",
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
    }
    settings = {"ssh_pwauth": True, "users": [user], "growpart": {"mode": "off"}, "resize_rootfs": False}
    user_data.write_text(f"#cloud-config\n{json.dumps(settings)}\n")
    meta_data.write_text("instance-id: bench\nlocal-hostname: bench\n")
    with seed.open("wb") as file:
        file.truncate(SEED_BYTES)
    call("mkfs.vfat", "-n", "CIDATA", seed)
    call("mcopy", "-i", seed, user_data, meta_data, "::/")


def call(*argv: str | Path) -> str:
    """Run a program of the preparation and return what it printed.

    :raises CallError: it failed.
    """
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = f"{done.stdout}{done.stderr}"
        raise CallError(f"{' '.join(map(str, argv))} failed with exit code {done.returncode}:\n{said}")
    return done.stdout


def _read_data(disk: Path) -> None:
    """Read what a sparse file has of data: holes would fill the page cache with zeros."""
    with disk.open("rb", buffering=0) as file:
        end = 0
        with contextlib.suppress(OSError):  # ENXIO: nothing but a hole follows
            while True:
                begin = os.lseek(file.fileno(), end, os.SEEK_DATA)
                end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
                for offset in range(begin, end, READ_BYTES):
                    os.pread(file.fileno(), min(READ_BYTES, end - offset), offset)
