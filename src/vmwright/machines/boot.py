"""Booting an image for a look: a throw-away overlay in a virtual machine that a person can log in to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2

from vmwright.disks.qemu_img import create_overlay
from vmwright.errors import MachineError
from vmwright.machines.passt import LOOPBACK, Forward
from vmwright.machines.qemu import QemuMachine
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from vmwright.disks.qemu_img import DiskFormat
    from vmwright.events import Events
    from vmwright.guests.linux import LinuxGuest
    from vmwright.machines.machine import MachineSpec
    from vmwright.state.resources import Ledger

PAGE_SECONDS = 120.0
# Nothing tells that a guest's web server listens but its answer.
PAGE_STEP = 1.0


@dataclass(frozen=True, slots=True)
class Booted:
    """An image that runs: its guest, the command that logs in to it, and the ports forwarded to it."""

    guest: LinuxGuest
    ssh_command: str
    forwards: tuple[Forward, ...]
    machine: QemuMachine

    async def page(self, guest_port: int, path: str = "/", *, timeout: float = PAGE_SECONDS) -> str:
        """Return the page that the guest serves over HTTP, waiting until it does.

        :raises MachineError: no page came within ``timeout`` seconds, or the machine ended.
        """
        port = next(each.host_port for each in self.forwards if each.guest_port == guest_port)
        url = f"http://{LOOPBACK}:{port}/{path.removeprefix('/')}"
        reason = "nothing answered"
        try:
            async with asyncio.timeout(timeout), httpx2.AsyncClient(trust_env=False) as client:
                while True:
                    try:
                        return (await client.get(url)).raise_for_status().text
                    except httpx2.HTTPError as error:
                        reason = str(error) or type(error).__name__
                    if ended := self.machine.ended():
                        raise ended
                    await asyncio.sleep(PAGE_STEP)
        except TimeoutError:
            raise MachineError(
                f"The guest served no page at port {guest_port} within {timeout:g} seconds: {reason}"
            ) from None


@contextlib.asynccontextmanager
async def boot_image(
    disk: Path,
    disk_format: DiskFormat,
    *,
    spec: MachineSpec,
    ledger: Ledger,
    events: Events,
    forwards: Sequence[Forward] = (),
) -> AsyncIterator[Booted]:
    """Boot an image in a virtual machine for as long as the context lasts; the image itself stays as it is.

    The image needs cloud-init (NoCloud): it makes the user of ``spec``. In ``spec.folder`` an overlay,
    a private key and the guest's host key are kept until the end.

    :raises MachineError: the image does not boot; the message has the console's last lines.
    """
    machine = QemuMachine(spec, ledger, events, forwards=forwards)
    overlay, key, known = (spec.folder / f"{spec.name}.{end}" for end in ("qcow2", "key", "known_hosts"))
    async with contextlib.AsyncExitStack() as stack:
        for path in (overlay, key, known):
            stack.callback(ledger.release, ledger.claim(ResourceKind.PATH, path))
            stack.callback(path.unlink, missing_ok=True)
        stack.push_async_callback(machine.destroy)
        await create_overlay(overlay, backing=disk, backing_format=disk_format)
        guest = await machine.start(overlay)
        _write_private(key, machine.access.client_key.export_private_key())
        host_key = machine.access.host_key.export_public_key()
        _write_private(known, f"[{LOOPBACK}]:{machine.ssh_port} ".encode() + host_key)
        yield Booted(guest, _ssh_command(machine, key, known), machine.forwards, machine)


def _ssh_command(machine: QemuMachine, key: Path, known: Path) -> str:
    return shlex.join(
        [
            *("ssh", "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", f"UserKnownHostsFile={known}"),
            *("-p", str(machine.ssh_port), f"{machine.access.user}@{LOOPBACK}"),
        ]
    )


def _write_private(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
