"""The layers of a build's disk: an overlay on the base, and one more after each step."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

from vmwright.disks import qemu_img
from vmwright.disks.qemu_img import DiskFormat
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.builds.build import Build
    from vmwright.machines.machine import Machine
    from vmwright.sources.base_disk import BaseDisk

GIB = 1 << 30


class Layers:
    """The chain of qcow2 files of one build; only the ``top`` is ever written."""

    def __init__(self, build: Build, base: BaseDisk) -> None:
        self._build = build
        self._base = base
        self._folder = build.folder / "layers"
        self._claim = build.ledger.claim(ResourceKind.PATH, self._folder)
        self._count = 0

    async def begin(self) -> None:
        """Make the first layer, on the base disk, as large as osDiskSizeGB wants it."""
        self._folder.mkdir()
        await qemu_img.create_overlay(
            self.top, backing=self._base.path, backing_format=self._base.format, size=self.size_bytes
        )

    @property
    def size_bytes(self) -> int:
        """The size of the disk that the guest sees: osDiskSizeGB, or the source's where that is 0."""
        wanted = self._build.template.vm_profile.os_disk_size_gb * GIB
        return max(wanted, self._base.facts.size_bytes)

    @property
    def top(self) -> Path:
        """The layer that is written now."""
        return self._folder / f"{self._count:03d}.qcow2"

    async def commit(self, machine: Machine) -> None:
        """Freeze the top as it is, while the guest runs, and go on in a new one."""
        frozen, number = self.top, self._count
        await machine.checkpoint(self._folder / f"{number + 1:03d}.qcow2")
        self._count = number + 1
        self._build.records.layer_committed(number, frozen)

    async def stack(self) -> None:
        """Put a new overlay on the top; no machine may have it open."""
        frozen, number = self.top, self._count
        self._count = number + 1
        await qemu_img.create_overlay(self.top, backing=frozen, backing_format=DiskFormat.QCOW2)
        self._build.records.layer_committed(number, frozen)

    async def remove(self) -> None:
        """Remove all layers; what the build made of them stands on its own."""
        if self._folder.exists():
            await asyncio.to_thread(shutil.rmtree, self._folder)
        self._build.records.layers_removed()
        self._build.ledger.release(self._claim)
