"""QEMU's monitor (QMP): one private connection from before QEMU's first instruction to its end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from qemu.qmp import EventListener, QMPClient, QMPError

from vmwright.errors import MachineError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from pathlib import Path

ANSWER_SECONDS = 60.0


class Monitor:
    """What QEMU is asked, and what it tells.

    :param on_reset: called when the guest has been reset: its connections are void.
    """

    def __init__(self, name: str, *, on_reset: Callable[[], None]) -> None:
        self._client = QMPClient(name)
        self._events = EventListener(("RESET",))
        self._on_reset = on_reset
        self._watching: asyncio.Task[None] | None = None

    async def connect(self, control: socket.socket) -> None:
        """Connect over an open socket whose other end QEMU has inherited.

        :raises MachineError: QEMU has ended or does not answer.
        """
        self._client.register_listener(self._events)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._client.connect(control)
        except (QMPError, TimeoutError) as error:
            raise MachineError(f"QEMU does not answer: {error}") from None
        self._watching = asyncio.create_task(self._watch())

    async def snapshot(self, node: str, layer: Path, *, new_node: str) -> None:
        """Freeze the disk of ``node``; the guest goes on in a new overlay at ``layer``, an absolute path."""
        await self._ask(
            "blockdev-snapshot-sync",
            {
                "node-name": node,
                "snapshot-file": str(layer),
                "format": "qcow2",
                "snapshot-node-name": new_node,
            },
        )

    async def press_power_button(self) -> None:
        """Ask the guest to shut down, as a short press of the power button does."""
        await self._ask("system_powerdown", {})

    async def close(self) -> None:
        """End the connection; QEMU may be gone already."""
        if self._watching:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        with contextlib.suppress(QMPError, EOFError, OSError):
            await self._client.disconnect()

    async def _watch(self) -> None:
        async for _ in self._events:
            self._on_reset()

    async def _ask(self, command: str, arguments: Mapping[str, object]) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._client.execute(command, arguments)
        except TimeoutError:
            raise MachineError(f"QEMU did not answer {command}") from None
        except QMPError as error:
            raise MachineError(f"QEMU refused {command}: {error}") from None
