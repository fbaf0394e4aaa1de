"""The layers of a build's disk: a chain of qcow2 files on the base disk, a new one after each step.

A committed layer has a row and is never written again: a later attempt goes on from the newest one, wherever
it runs. Only the ``top`` is written, by the machine; it is claimed like all that must be removed again.
"""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vmwright.artifacts.files import flush
from vmwright.disks import qemu_img
from vmwright.disks.qemu_img import DiskFormat
from vmwright.errors import BuildError
from vmwright.runs.layer import Layer
from vmwright.runs.layer_files import LayerFiles
from vmwright.state.host import host_id
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from vmwright.artifacts.facts import Provisioning
    from vmwright.builds.build import Build
    from vmwright.machines.machine import Machine
    from vmwright.sources.base_disk import BaseDisk
    from vmwright.state.resources import Resource

GIB = 1 << 30
WRITABLE = 0o600


class Keeps(Protocol):
    """Leaves layers to later builds."""

    def keep(self, layer: Layer, below: Layer | None, *, network_used: bool) -> None:
        """Take a layer that was put on another one; see ``StepCache.keep``."""


class Layers:
    """The chain of one attempt; ``restore`` comes first. What is put on it is kept in the cache, too."""

    def __init__(self, build: Build, base: BaseDisk, cache: Keeps) -> None:
        self._build = build
        self._cache = cache
        self._base = base
        self._files = layer_files(build)
        self._copies = build.root / "copies" / "layers"
        self._committed: list[Layer] = []
        self._uncommitted: list[Resource] = []

    async def restore(self) -> None:
        """Take over what earlier attempts have committed, with the files of all of it on this host.

        :raises BuildError: one is neither here nor in the shared store.
        """
        for layer in self._build.records.layers():
            self._committed.append(await self._had_here(layer))

    @property
    def step(self) -> int:
        """The last step that the newest committed layer has behind it; 0: none."""
        return self._committed[-1].step if self._committed else 0

    @property
    def is_generalized(self) -> bool:
        """Whether the disk has everything behind it."""
        return self.step > len(self._build.template.customize)

    @property
    def generalized(self) -> Layer:
        """The layer that is the finished image."""
        if not self.is_generalized:
            raise BuildError("The disk is not generalized")
        return self._committed[-1]

    @property
    def newest(self) -> Layer | None:
        """The newest committed layer."""
        return self._committed[-1] if self._committed else None

    @property
    def disk(self) -> tuple[Path, DiskFormat]:
        """The disk as the newest committed layer left it, or as the source is."""
        newest = self.newest
        return (newest.path, DiskFormat.QCOW2) if newest else (self._base.path, self._base.format)

    @property
    def size_bytes(self) -> int:
        """The size of the disk that the guest sees: osDiskSizeGB, or the source's where that is 0."""
        wanted = self._build.template.vm_profile.os_disk_size_gb * GIB
        return max(wanted, self._base.facts.size_bytes)

    async def begin(self) -> Path:
        """Make a new top on the newest layer, or on the base disk; no machine has the last top open."""
        await self.drop_top()
        top, (backing, backing_format) = self._files.new(), self.disk
        self._claim(top)
        await qemu_img.create_overlay(
            top, backing=backing, backing_format=backing_format, size=self.size_bytes
        )
        return top

    async def commit(
        self,
        machine: Machine,
        *,
        step: int,
        deprovisioning: bytes | None,
        network_used: bool = True,
        is_whole: bool = True,
    ) -> None:
        """Freeze the top as it is after ``step``, while the guest runs, and go on in a new one.

        :param network_used: whether the step may have fetched something; see ``caching``.
        :param is_whole: whether the disk has all that later steps may want of this one.
        """
        above = self._files.new()
        self._claim(above)
        await machine.checkpoint(above)
        layer = await self._record_top(step=step, deprovisioning=deprovisioning)
        self._put_on(layer, network_used=network_used, is_whole=is_whole)

    async def seal(
        self,
        *,
        step: int,
        deprovisioning: bytes | None = None,
        provisioning: Provisioning | None = None,
        network_used: bool = False,
    ) -> None:
        """Commit the top of a machine that is switched off."""
        layer = await self._record_top(step=step, deprovisioning=deprovisioning, provisioning=provisioning)
        self._put_on(layer, network_used=network_used)

    async def adopt(
        self,
        path: Path,
        *,
        step: int,
        deprovisioning: bytes | None = None,
        provisioning: Provisioning | None = None,
    ) -> None:
        """Put a file that is frozen already on the chain, as if committed; others may refer to it, too.

        It stands on the newest layer, or on the base disk, and nobody writes it any more.

        :raises BuildError: a new top has begun, which does not stand on it.
        :raises FileNotFoundError: those who refer to it have given it up meanwhile.
        """
        if self._uncommitted:
            raise BuildError("The disk is written already: no layer can be put under it")
        layer = await self._layer(path, step=step, deprovisioning=deprovisioning, provisioning=provisioning)
        self._build.records.layer_adopted(layer)
        self._put_on(layer, network_used=False)

    async def take_back(self) -> None:
        """Take what was adopted before the first step off the chain again; no machine has it open."""
        await self.drop_top()
        if self._committed:
            await _drop(self._build, 0)
            self._committed.clear()

    async def drop_top(self) -> None:
        """Remove what is not committed; no machine may have it open."""
        while self._uncommitted:
            Path(self._uncommitted[-1].identity).unlink(missing_ok=True)
            self._build.ledger.release(self._uncommitted[-1])
            self._uncommitted.pop()

    def _claim(self, path: Path) -> None:
        self._uncommitted.append(self._build.ledger.claim(ResourceKind.PATH, path))

    async def _record_top(
        self, *, step: int, deprovisioning: bytes | None, provisioning: Provisioning | None = None
    ) -> Layer:
        """Make the top a layer: its bytes are on the disk, and shared, before there is a row."""
        top = self._uncommitted[0]
        path = Path(top.identity)
        await flush(path)
        layer = await self._layer(path, step=step, deprovisioning=deprovisioning, provisioning=provisioning)
        self._build.records.layer_committed(layer, top)
        del self._uncommitted[0]
        return layer

    def _put_on(self, layer: Layer, *, network_used: bool, is_whole: bool = True) -> None:
        below = self.newest
        self._committed.append(layer)
        if is_whole:
            self._cache.keep(layer, below, network_used=network_used)

    async def _layer(
        self, path: Path, *, step: int, deprovisioning: bytes | None, provisioning: Provisioning | None
    ) -> Layer:
        return Layer(
            number=len(self._committed),
            step=step,
            host=host_id(),
            path=path,
            digest=await self._build.images.artifacts.share(path),
            size_bytes=path.stat().st_size,
            deprovisioning=deprovisioning,
            provisioning=provisioning,
        )

    async def _had_here(self, layer: Layer) -> Layer:
        """Return a layer that an earlier attempt committed, by its file on this host.

        The copy of one from another host has the same name for all attempts: what they commit stands on it.
        """
        if is_here(layer):
            return layer
        digest = layer.digest or ""
        copy = self._copies / f"{layer.number:03d}-{digest}.qcow2"
        if not copy.exists():
            await self._fetch(digest, copy, self._files.new())
        return dataclasses.replace(layer, host=host_id(), path=copy)

    async def _fetch(self, digest: str, copy: Path, part: Path) -> None:
        with self._build.ledger.claimed(ResourceKind.PATH, part):
            try:
                await self._build.images.artifacts.fetch_file(digest, part)
                part.chmod(WRITABLE)
                backing, backing_format = self.disk
                await qemu_img.set_backing(part, backing=backing, backing_format=backing_format)
                await flush(part)
                copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                part.replace(copy)
            finally:
                part.unlink(missing_ok=True)


def is_here(layer: Layer) -> bool:
    """Return whether a layer's file is on this host, whole."""
    return layer.host == host_id() and layer.path.exists() and layer.path.stat().st_size == layer.size_bytes


async def drop_unreachable(build: Build) -> int | None:
    """Forget the layers that this host can neither see nor fetch, and those that stand on them.

    :returns: the step that the disk has behind it then, where layers had to be forgotten.
    """
    step = 0
    for number, layer in enumerate(build.records.layers()):
        if reason := await _why_unreachable(build, layer, number):
            await _drop(build, number)
            build.events.warn(f"{reason}: the build goes on from step {step + 1}")
            return step
        step = layer.step
    return None


async def _why_unreachable(build: Build, layer: Layer, number: int) -> str | None:
    """Return why the layer that is found at a place in the chain cannot be gone on from; None: it can."""
    disk = f"The disk after step {layer.step} ({layer.path})"
    if layer.number != number:
        return f"{disk} stands on a layer that is gone"
    if is_here(layer) or await build.images.artifacts.is_shared(layer.digest):
        return None
    return f"{disk} is on another host, in no shared store"


async def remove_layers(build: Build) -> None:
    """Remove all layers of a build; what was made of them stands on its own."""
    digests = [layer.digest for layer in build.records.layers()]
    await _drop(build, 0)
    for folder in build.root.glob("*/layers"):
        await asyncio.to_thread(shutil.rmtree, folder)
    for digest in filter(None, digests):
        await build.images.artifacts.unshare(digest)


async def _drop(build: Build, number: int) -> None:
    """Forget the layers from ``number`` on, and remove those of this host that nothing else refers to."""
    here = [layer.path for layer in build.records.layers()[number:] if layer.host == host_id()]
    build.records.drop_layers(number)
    await asyncio.to_thread(layer_files(build).remove_unused, here)


def layer_files(build: Build) -> LayerFiles:
    """Return where the layers of a build are."""
    return LayerFiles(build.settings.home, build.database)
