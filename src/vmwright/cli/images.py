"""``vmwright images``: what builds distributed: managed images and gallery versions; removing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.cli.running import opened
from vmwright.cli.screen import print_json, table
from vmwright.cli.words import minute, size
from vmwright.errors import VmwrightError
from vmwright.images import ManagedImageRecord, open_images
from vmwright.images.images import is_in_gallery
from vmwright.images.records import VersionRecord

if TYPE_CHECKING:
    from vmwright.images import Images

Image = ManagedImageRecord | VersionRecord


def list_images(*, as_json: bool) -> None:
    """List managed images and gallery versions, newest first."""
    with opened() as (settings, database):
        all_there_is = open_images(settings, database)
        found: list[Image] = [*all_there_is.managed.list(), *all_there_is.versions.list()]
    found.sort(key=lambda image: image.created_at, reverse=True)
    if as_json:
        print_json([image.as_resource() for image in found])
        return
    table(("KIND", "NAME", "OS", "GEN", "SIZE", "REGIONS", "CREATED", "ID"), map(_row, found))


def remove(identity: str) -> None:
    """Remove an image, a version, or an image definition or gallery that has nothing in it."""
    with opened() as (settings, database):
        removed = _remove(identity, open_images(settings, database))
        print(f"removed {removed}")


def _remove(identity: str, images: Images) -> str:
    if not is_in_gallery(identity):
        return images.managed.remove(identity).resource_id
    asked = images.versions.identify(identity)
    if asked.is_latest:
        raise VmwrightError(
            f"{identity} is not removed: name the version that you mean",
            hint=f"the newest is {images.versions.get(identity).id.version}",
        )
    if asked.version:
        return str(images.versions.remove(asked).id)
    if asked.definition:
        return str(images.galleries.remove_definition(asked).id)
    return str(images.galleries.remove_gallery(asked).id)


def _row(image: Image) -> tuple[str, ...]:
    match image:
        case ManagedImageRecord():
            kind, name, regions, identity = "ManagedImage", image.name, image.location, image.resource_id
        case VersionRecord():
            kind, name, identity = "SharedImage", image.id.short, str(image.id)
            regions = ",".join(image.regions)
    facts = image.facts
    created = minute(image.created_at)
    disk = size(facts.size_bytes)
    return (kind, name, facts.os_name, facts.generation, disk, regions, created, identity)
