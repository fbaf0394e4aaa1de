"""A qcow2 chain as one raw file: qemu-storage-daemon with a FUSE export, and live layers under it.

The kernel can then mount a partition of the chain through a loop device without nbd. A layer is made under
the running export: ``blockdev-snapshot-sync`` freezes the overlay written so far and the export goes on in a
new one, in milliseconds; whoever has the raw file open notices nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from typing import TYPE_CHECKING, Self

from qemu.qmp import QMPClient, QMPError

from vmwright import process
from vmwright.disks.mounts import unmount
from vmwright.errors import ProcessError
from vmwright.marks import marked
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from vmwright.process import Running
    from vmwright.state.resources import Ledger

PROGRAM = "qemu-storage-daemon"
EXPORT = "disk"
ANSWER_SECONDS = 60.0


class StorageDaemon:
    """The export of a qcow2 chain at ``raw``, from entering this context to leaving it.

    :param disk: the top of the chain, absolute; every backing file below it must be absolute too.
    :param raw: the file that shows the chain's bytes; made and removed here.
    :param writable: False leaves ``disk`` as it is and refuses writes to ``raw``.
    """

    def __init__(self, disk: Path, raw: Path, ledger: Ledger, *, writable: bool = True) -> None:
        self.disk = disk
        self.raw = raw
        self._writable = writable
        self._ledger = ledger
        self._layers = 0
        self._qmp = QMPClient("storage")
        self._running: Running | None = None
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self._running = await stack.enter_async_context(self._daemon())
            await stack.enter_async_context(self._export())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def running(self) -> Running | None:
        """The daemon itself; it does not end before it is told to at the end of the context."""
        return self._running

    async def snapshot(self, layer: Path) -> None:
        """Freeze the disk written so far and go on in a new overlay at ``layer`` (absolute).

        The file system on it must be frozen by the caller, or the layer is as after a power cut. When this
        returns, ``disk`` is the new overlay and the old one is never written again.

        :raises ProcessError: there is a file at ``layer`` already (the daemon itself would overwrite it), or
            the daemon refused.
        """
        if not layer.is_absolute():
            raise ProcessError(f"A layer needs an absolute path, not {layer}", target=str(layer))
        try:
            layer.open("xb").close()
        except FileExistsError:
            raise ProcessError(f"There is a layer at {layer} already", target=str(layer)) from None
        new = _node(self._layers + 1)
        try:
            await self._ask(
                "blockdev-snapshot-sync",
                {
                    "node-name": _node(self._layers),
                    "snapshot-file": str(layer),
                    "format": "qcow2",
                    "snapshot-node-name": new,
                },
            )
        except ProcessError:
            layer.unlink()
            raise
        self._layers += 1
        self.disk = layer

    def arguments(self, control: int) -> list[str]:
        """Return the daemon's command line; ``control`` is the open socket for its QMP."""
        read_only = "off" if self._writable else "on"
        # the top that is written goes when its host crashes, and a layer is flushed when it is committed
        access = f"discard=unmap,read-only={read_only},cache.no-flush=on"
        return [
            PROGRAM,
            "--blockdev",
            f"driver=file,node-name=file,filename={_escaped(self.disk)},{access}",
            "--blockdev",
            f"driver=qcow2,node-name={_node(0)},file=file,{access}",
            "--chardev",
            f"socket,id=control,fd={control},server=off",
            "--monitor",
            "chardev=control",
        ]

    @contextlib.asynccontextmanager
    async def _daemon(self) -> AsyncIterator[Running]:
        """Run the daemon with a private socket pair as its QMP: no file, and nobody else can speak to it."""
        token = uuid.uuid4().hex
        claim = self._ledger.claim(ResourceKind.PROCESS, token)
        ours, theirs = socket.socketpair()
        running: Running | None = None
        try:
            with theirs:
                running = await process.start(
                    self.arguments(theirs.fileno()),
                    log=self.raw.with_suffix(".log"),
                    env=marked(token),
                    pass_fds=(theirs.fileno(),),
                )
            await self._connect(ours, running)
            yield running
        finally:
            ours.close()
            if running:
                with contextlib.suppress(QMPError, EOFError, OSError):
                    await self._qmp.disconnect()
                await running.end()
            self._ledger.release(claim)

    async def _connect(self, control: socket.socket, running: Running) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._qmp.connect(control)
        except (QMPError, TimeoutError):
            raise ProcessError(
                f"{PROGRAM} cannot open {self.disk}: {running.last_lines()}", target=str(self.disk)
            ) from None

    @contextlib.asynccontextmanager
    async def _export(self) -> AsyncIterator[None]:
        claim = self._ledger.claim(ResourceKind.MOUNT, self.raw)
        self.raw.touch(mode=0o600)
        try:
            await self._ask(
                "block-export-add",
                {
                    "type": "fuse",
                    "id": EXPORT,
                    "node-name": _node(0),
                    "mountpoint": str(self.raw),
                    "writable": self._writable,
                },
            )
            yield
        finally:
            # before the daemon ends: after it, a dead mount would stay
            await unmount(self.raw)
            self.raw.unlink(missing_ok=True)
            self._ledger.release(claim)

    async def _ask(self, command: str, arguments: Mapping[str, object]) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._qmp.execute(command, arguments)
        except TimeoutError:
            raise ProcessError(f"{PROGRAM} did not answer {command}", target=str(self.disk)) from None
        except QMPError as error:
            raise ProcessError(f"{PROGRAM} refused {command}: {error}", target=str(self.disk)) from None


def _node(layer: int) -> str:
    return f"layer{layer}"


def _escaped(path: Path) -> str:
    """Return a path for QEMU's option lists, in which a comma is doubled."""
    return str(path).replace(",", ",,")
