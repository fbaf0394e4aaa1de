"""``vmwright boot``: an image in a throw-away virtual machine."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.builds.guest_environment import azure_environment
from vmwright.cli.running import opened, run, shown_events
from vmwright.disks.inspect import inspect
from vmwright.disks.qemu_img import DiskFormat, sniff
from vmwright.errors import TemplateError, UnsupportedError, VmwrightError
from vmwright.events import Progress
from vmwright.images import open_images
from vmwright.machines.boot import boot_image
from vmwright.machines.host import kvm_verdict, reason_against_vm
from vmwright.machines.machine import EMULATED, Accelerator, MachineSpec
from vmwright.machines.passt import LOOPBACK, Forward
from vmwright.machines.sizes import fit, host_capacity
from vmwright.state.resources import Ledger, ResourceKind
from vmwright.workers.reaper import reap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmwright.artifacts.facts import ImageFacts
    from vmwright.events import Events
    from vmwright.settings import Settings
    from vmwright.state.database import Database

HTTP = 80
MOST_PORT = 65535
HOST_AND_GUEST = 2
USER = "vmwright"
LOCATION = "local"


@dataclass(frozen=True, slots=True)
class Bootable:
    """A disk that can be booted."""

    path: Path
    format: DiskFormat
    facts: ImageFacts


def boot(image: str, *, forwards: Sequence[str], page: str | None) -> None:
    """Boot an image; stay until Ctrl-C, or print the page that it serves and end."""
    with opened() as (settings, database):
        asked = [forward_of(text) for text in forwards]
        if page is not None and not any(forward.guest_port == HTTP for forward in asked):
            asked.append(Forward(0, HTTP))
        with shown_events(as_json_lines=False) as events:
            text = run(_boot(image, asked, page, settings=settings, database=database, events=events))
        print(text, end="")


def forward_of(text: str) -> Forward:
    """Read ``[HOST:]GUEST``.

    :raises TemplateError: it is neither one port nor two.
    """
    host, _, guest = text.rpartition(":")
    ports = [int(part) for part in (host or "0", guest) if part.isdecimal()]
    if len(ports) != HOST_AND_GUEST or not (ports[0] <= MOST_PORT and 0 < ports[1] <= MOST_PORT):
        raise TemplateError(
            f"--forward {text}: not of the form [HOST:]GUEST",
            hint="--forward 8080:80, or 80 for any free port",
        )
    return Forward(*ports)


async def _boot(
    image: str,
    forwards: Sequence[Forward],
    page: str | None,
    *,
    settings: Settings,
    database: Database,
    events: Events,
) -> str:
    """Return the page, or nothing once the user has ended the machine."""
    if reason := reason_against_vm():
        raise UnsupportedError(f"This host cannot run a virtual machine: {reason}", hint="vmwright doctor")
    await reap(database, events, settings=settings)
    ledger = Ledger(database)
    name = f"vmwright-boot-{uuid.uuid4().hex[:8]}"
    folder = settings.home / "boots" / name
    with ledger.claimed(ResourceKind.PATH, folder):
        folder.mkdir(parents=True, mode=0o700)
        try:
            disk = await _bootable(image, settings=settings, database=database, events=events, work=folder)
            spec = await _spec(name, folder, disk, settings, events)
            events.note(f"Booting {image}: {spec.accelerator}, {spec.cpus} vCPU, {spec.memory_mib} MiB")
            async with boot_image(
                disk.path, disk.format, spec=spec, ledger=ledger, events=events, forwards=forwards
            ) as booted:
                if page is not None:
                    return await booted.page(HTTP, page)
                events.note(f"It is up; log in with: {booted.ssh_command}")
                for forward in booted.forwards:
                    events.note(f"{LOOPBACK}:{forward.host_port} is the guest's port {forward.guest_port}")
                events.note("Ctrl-C stops it and throws it away")
                with contextlib.suppress(asyncio.CancelledError):
                    await booted.machine.wait_until_off()
                events.note("The guest is stopped and thrown away")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return ""


async def _bootable(
    image: str, *, settings: Settings, database: Database, events: Events, work: Path
) -> Bootable:
    """Find what ``image`` names: a file, else an image or a gallery version by id or name.

    :raises TemplateError: it names nothing.
    """
    file = Path(image)
    if file.is_file():
        facts = await inspect(file, work=work, ledger=Ledger(database))
        return Bootable(file.absolute(), sniff(file), facts.image)
    images = open_images(settings, database)
    try:
        found = images.get(image)
    except VmwrightError as error:
        raise TemplateError(
            f"{image} is neither a disk file nor an image of this host: {error.message}", hint=error.hint
        ) from error

    def told(done: int, total: int) -> None:
        events.say(Progress(what=f"fetching {image}", done=done, total=total))

    artifact = await images.artifacts.fetch(found.digest, progress=told)
    return Bootable(artifact.path, DiskFormat(artifact.format), found.facts)


async def _spec(name: str, folder: Path, disk: Bootable, settings: Settings, events: Events) -> MachineSpec:
    sizing = fit("", host_capacity())
    kvm = await kvm_verdict(settings)
    return MachineSpec(
        name=name,
        folder=folder,
        cpus=sizing.cpus,
        memory_mib=sizing.memory_mib,
        generation=disk.facts.generation,
        accelerator=Accelerator.KVM if kvm.usable else Accelerator.TCG,
        processor=settings.emulated_processor or EMULATED,
        user=USER,
        azure=azure_environment(
            disk.facts.provisioning, settings, events, location=LOCATION, vm_size=sizing.size.name
        ),
    )
