"""QEMU's monitor (QMP): one private connection from before QEMU's first instruction to its end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, cast

from qemu.qmp import EventListener, QMPClient, QMPError

from vmwright.errors import MachineError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from qemu.qmp.message import Message

ANSWER_SECONDS = 60.0
MEMORY = "memory"
# without this capability QEMU does not tell how it goes on with the memory
TOLD = {"capability": "events", "state": True}
FAST = 1 << 40  # bytes a second: not to be slowed down for the sake of a network
DONE = "completed"
ENDED = {DONE, "failed", "cancelled"}


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

    async def pause(self) -> None:
        """Stop the guest's processors; what they have asked of the disk is done by then."""
        await self._ask("stop", {})

    async def go_on(self) -> None:
        """Let the guest's processors run on."""
        await self._ask("cont", {})

    async def quit(self) -> None:
        """End QEMU in good order, with all that its guest has written in the disk's file."""
        await self._ask("quit", {})

    async def reasons_against_moving(self) -> tuple[str, ...]:
        """Return why the memory of this machine can be neither written nor read, in QEMU's words."""
        return tuple((await self._ask("query-migrate", {})).get("blocked-reasons", ()))

    async def write_memory(self, file: int) -> None:
        """Write the memory and the devices of a paused guest to an open file.

        :raises MachineError: they could not be written, in QEMU's words.
        """
        await self._ask("migrate-set-parameters", {"max-bandwidth": FAST})
        await self._move_memory("migrate", file)

    async def read_memory(self, file: int) -> None:
        """Have a machine that waits for its memory read it from an open file; its guest is paused then.

        :raises MachineError: QEMU does not take it; it ends then.
        """
        await self._move_memory("migrate-incoming", file)

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

    async def _move_memory(self, command: str, file: int) -> None:
        """Have QEMU read or write a guest's memory; where it ends meanwhile, this does not return."""
        try:
            self._client.send_fd_scm(file)
        except OSError as error:
            raise MachineError(f"QEMU does not answer: {error}") from None
        await self._ask("getfd", {"fdname": MEMORY})
        await self._ask("migrate-set-capabilities", {"capabilities": [TOLD]})
        with self._client.listener(("MIGRATION",)) as told:
            await self._ask(command, {"uri": f"fd:{MEMORY}"})
            while (status := _status(await told.get())) not in ENDED:
                pass
        if status != DONE:
            why = await self._ask("query-migrate", {})
            raise MachineError(f"QEMU could not move the guest's memory: {why.get('error-desc', status)}")

    async def _ask(self, command: str, arguments: Mapping[str, object]) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return cast("Mapping[str, Any]", await self._client.execute(command, arguments))
        except TimeoutError:
            raise MachineError(f"QEMU did not answer {command}") from None
        except QMPError as error:
            raise MachineError(f"QEMU refused {command}: {error}") from None


def _status(event: Message) -> str:
    return str(cast("Mapping[str, Any]", event["data"])["status"])
