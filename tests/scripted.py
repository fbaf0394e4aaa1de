"""A scripted guest and machine: what the component ring puts behind the seams of guests/ and machines/."""

from __future__ import annotations

import re
import shlex
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from vmwright.builds import deprovisioning, leftovers
from vmwright.disks.qemu_img import DiskFormat, create_overlay
from vmwright.errors import MachineError, MachineLostError
from vmwright.events import Event, Stream
from vmwright.guests.linux import LinuxGuest
from vmwright.guests.transport import Ended, OutputSink, ProgressSink, read_by_cat
from vmwright.machines.boot_files import BootFiles
from vmwright.machines.machine import MachineKind

Kind = TypeVar("Kind", bound=Event)
Script = Callable[["ScriptedTransport"], Ended]


@dataclass
class ScriptedTransport:
    """A guest with a few real commands over a dict of files; other commands answer as the test says.

    ``boot_files`` are what it boots from, with their digests.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    answers: dict[str, Script] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    given: list[bytes] = field(default_factory=list)
    boot_files: dict[str, str] = field(default_factory=dict)

    async def execute(
        self,
        command: str,
        *,
        as_root: bool = False,
        stdin: bytes | Path = b"",
        sink: OutputSink | None = None,
        timeout: float | None = None,
    ) -> Ended:
        self.said.append(f"# {command}" if as_root else f"$ {command}")
        self._take(command, stdin if isinstance(stdin, bytes) else stdin.read_bytes())
        ended = self._answer(command)
        for path in re.findall(r"; rm -f ([\w/.]+); exit", command):
            self.files.pop(path)
        if sink is None:
            return ended
        sink(Stream.STDOUT, ended.stdout)
        sink(Stream.STDERR, ended.stderr)
        return Ended(ended.exit_code)

    async def put(
        self, source: Path, destination: str, *, mode: int, progress: ProgressSink | None = None
    ) -> None:
        if not destination.startswith("/tmp/"):
            raise MachineError(f"The guest refused {destination}: Permission denied")
        self.files[destination] = source.read_bytes()
        self.modes[destination] = mode
        if progress:
            progress(len(self.files[destination]), len(self.files[destination]))

    async def read(self, path: str) -> bytes | None:
        return await read_by_cat(self, path)

    async def close(self) -> None:
        self.said.append("closed")

    def boot(self) -> None:
        """Empty /tmp, as each boot does."""
        self.files = {path: data for path, data in self.files.items() if not path.startswith("/tmp/")}

    def _take(self, command: str, given: bytes) -> None:
        """Do what the start of a command line does that writes what it is given to a file."""
        if found := re.search(r"cat > ([\w/.]+) && chmod (\d+)", command):
            self.given.append(given)
            self.files[found[1]] = given
            self.modes[found[1]] = int(found[2], 8)

    def _answer(self, command: str) -> Ended:
        for pattern, script in self.answers.items():
            if re.search(pattern, command):
                return script(self)
        match shlex.split(command):
            case ["sh", "-c", asked] if "agents:" in asked:
                return Ended(0, b"agents:\nwaagent\ncloud-init\n\n")
            case ["sh", "-c", asked] if asked == leftovers.LOOK:
                left = self.files.get(deprovisioning.SCRIPT)
                return Ended(0, b"whole\n" + (b"" if left is None else b"script\n" + left))
            case ["cat", path]:
                known = path in self.files
                return Ended(0 if known else 1, self.files.get(path, b""))
            case ["rm", "-f", *paths]:
                for path in paths:
                    self.files.pop(path, None)
        return Ended(0)


@dataclass
class ScriptedMachine:
    """A machine that records what it is told; ``restarts`` tells how each ``settle`` ends.

    ``loss`` is what it answers where something has failed: that a program of the host was killed, or not.
    """

    transport: ScriptedTransport = field(default_factory=ScriptedTransport)
    restarts: list[bool] = field(default_factory=list)
    loss: MachineLostError | None = None
    told: list[str] = field(default_factory=list)
    kind: MachineKind = MachineKind.CONTAINER
    received: int | None = 0
    disk: Path = Path()

    async def start(self, disk: Path) -> LinuxGuest:
        self.told.append(f"start {place(disk):03d}.qcow2")
        self.disk = disk
        self.transport.boot()
        return LinuxGuest(self.transport, "packer")

    async def settle(self, *, timeout: float) -> bool:
        restarted = self.restarts.pop(0) if self.restarts else False
        if restarted:
            self.transport.boot()
        return restarted

    async def checkpoint(self, layer: Path) -> None:
        self.told.append(f"checkpoint {place(self.disk) + 1:03d}.qcow2")
        await create_overlay(layer, backing=self.disk, backing_format=DiskFormat.QCOW2)
        self.disk = layer

    def received_bytes(self) -> int | None:
        return self.received

    async def power_off(self) -> None:
        self.told.append("power off")

    async def boot_files(self) -> BootFiles:
        return dict(self.transport.boot_files)

    async def lost(self) -> MachineLostError | None:
        return self.loss

    async def destroy(self) -> None:
        self.told.append("destroy")


def place(disk: Path) -> int:
    """Return the place of a layer on the base disk, from 0, as the headers of its chain tell."""
    place = -1
    while name := _backing(disk):
        disk, place = Path(name), place + 1
    return place


def _backing(disk: Path) -> str:
    with disk.open("rb") as file:
        offset, length = struct.unpack(">QI", file.read(20)[8:])
        file.seek(offset)
        return file.read(length).decode() if offset else ""


def ended(code: int | None, stdout: bytes = b"", stderr: bytes = b"") -> Script:
    """An answer that does not look at the guest."""
    return lambda _: Ended(code, stdout, stderr)


@dataclass
class Recorder:
    """A reader of the event stream that keeps everything."""

    seen: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.seen.append(event)

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.seen if isinstance(event, kind)]
