"""Bringing the bytes of an image here: a disk that is downloaded, or what the library has already."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.arm.access.actions import wanted as action_of
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.compute import own_disks
from vmwright.arm.providers.compute.origins import IMAGE, URI
from vmwright.downloads import Origin as Asker
from vmwright.downloads.urls import parse as parse_url
from vmwright.errors import SourceError
from vmwright.events import Events
from vmwright.images.ids import parse
from vmwright.secret_values import secrets_in
from vmwright.sources.context import SourceContext
from vmwright.sources.keeping import take_in
from vmwright.sources.unpacking import LARGEST
from vmwright.state.resources import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.arm.access.actions import Wanted
    from vmwright.arm.providers.compute.origins import Origin
    from vmwright.arm.service import Service
    from vmwright.artifacts import Artifact
    from vmwright.artifacts.facts import ImageFacts
    from vmwright.disks.inspect import DiskFacts
    from vmwright.template.model import Generation, OsType, PlanInfo

DISK = "disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """An image whose file is on this host; ``plan`` is the marketplace plan that goes with it."""

    artifact: Artifact
    facts: ImageFacts
    plan: PlanInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a disk is to be: of which system, and of which generation (None for what it boots as)."""

    what: str
    os_type: OsType
    generation: Generation | None


async def bring(origin: Origin, expected: Expected, service: Service) -> Brought:
    """Return the image that an origin names.

    :raises ArmError: it is not there.
    :raises VmwrightError: it cannot be had, or is not what is expected.
    """
    if origin.kind == URI:
        return await _from_disk(origin.value, expected, service)
    brought = await (_from_image if origin.kind == IMAGE else _from_version)(origin.value, service)
    _check(expected, brought.facts)
    return brought


def to_read(origin: Origin, service: Service) -> Wanted | None:
    """Return what somebody must be allowed to do who imports from an origin; None for what all may read.

    :raises ArmError: it is a file of this host.
    """
    if origin.kind != URI:
        return action_of("GET", tuple(filter(None, origin.value.split("/"))))
    if parse_url(origin.value).scheme == "file":
        raise ArmError(
            400,
            "InvalidParameter",
            f"'{origin.value}' is a file of this host: name the artifactUri of a run output, or an address "
            "that begins with https:// or http://.",
            target="uri",
        )
    template = own_disks.maker(origin.value, service)
    if template is None:
        return None
    return action_of("GET", tuple(filter(None, f"{template.id}/runOutputs/any".split("/"))))


async def _from_image(image_id: str, service: Service) -> Brought:
    image = service.images.managed.find(image_id)
    if image is None:
        raise ArmError(404, "NotFound", f"There is no managed image {image_id}", target=image_id)
    return Brought(artifact=await service.images.artifacts.fetch(image.digest), facts=image.facts)


async def _from_version(version_id: str, service: Service) -> Brought:
    version = service.images.versions.find(parse(version_id))
    if version is None:
        raise ArmError(404, "NotFound", f"There is no image version {version_id}", target=version_id)
    artifact = await service.images.artifacts.fetch(version.digest)
    return Brought(artifact=artifact, facts=version.facts, plan=version.plan)


async def _from_disk(uri: str, expected: Expected, service: Service) -> Brought:
    # a stream of its own: the service's would remember the secrets of all addresses
    events = Events(service.events.say)
    for secret in secrets_in(uri):
        events.keep_secret(secret)
    context = SourceContext.of(
        service.settings, service.database, service.images, events=events, ledger=Ledger(service.database)
    )
    with context.staging() as folder:
        disk = await _fetched(uri, folder / DISK, context, service)
        artifact, facts = await take_in(
            disk, context, shown=expected.what, as_image=lambda found: _as_expected(found, expected)
        )
    return Brought(artifact=artifact, facts=facts)


async def _fetched(uri: str, into: Path, context: SourceContext, service: Service) -> Path:
    """Return the file at an address: that of a run output is on this host already."""
    own = await asyncio.to_thread(own_disks.find, uri, service)
    if own is not None:
        return own
    fetched = await context.downloader.fetch(
        uri, into, sha256=None, what="the disk", origin=Asker.SERVICE, max_bytes=LARGEST
    )
    return fetched.path


def _as_expected(found: DiskFacts, expected: Expected) -> ImageFacts:
    generation = expected.generation or found.image.generation
    if generation not in found.boots:
        boots = " and ".join(sorted(found.boots))
        raise SourceError(
            f"{expected.what} is of generation {generation}, but its disk boots as {boots} only",
            target="hyperVGeneration",
            hint=f"make it one of generation {boots}",
        )
    facts = dataclasses.replace(found.image, generation=generation)
    _check(expected, facts)
    return facts


def _check(expected: Expected, facts: ImageFacts) -> None:
    wanted = {"osType": expected.os_type, "hyperVGeneration": expected.generation}
    there = {"osType": facts.os_type, "hyperVGeneration": facts.generation}
    for name, value in wanted.items():
        if value is not None and value != there[name]:
            raise SourceError(
                f"{expected.what} has the {name} {value}, but the disk is {there[name]} ({facts.os_name})",
                target=name,
                hint="name a source that is like it, or make it like the source",
            )
