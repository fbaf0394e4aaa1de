"""SharedImageVersion: a version of a gallery's image definition, read from the template's region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.artifacts.region_stores import is_intact
from vmwright.disks.qemu_img import DiskFormat
from vmwright.errors import SourceError, VmwrightError
from vmwright.images import ids
from vmwright.regions import api_name
from vmwright.sources.base_disk import BaseDisk
from vmwright.sources.keeping import teller

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.artifacts import Artifact
    from vmwright.images.records import Replica, VersionRecord
    from vmwright.sources.context import SourceContext
    from vmwright.template.model import SharedImageVersion

TARGET = "properties.source.imageVersionId"


async def resolve(source: SharedImageVersion, context: SourceContext, *, location: str) -> BaseDisk:
    """Return the disk of a version; ``versions/latest`` is the highest number that counts for latest.

    :raises SourceError: there is no such version, it is not replicated to the template's region, or its disk
        is gone.
    """
    version = _found(source.image_version_id, context)
    replica = _replica_in(version, location)
    artifact = context.artifacts.record(version.digest)
    asked_latest = ids.parse(source.image_version_id).is_latest
    exact = f" ({version.id.version})" if asked_latest else ""
    disk = BaseDisk(
        path=await _whole(replica, artifact, context),
        digest=artifact.digest,
        format=DiskFormat(artifact.format),
        facts=version.facts,
        exact_version=version.id.version,
        description=f"image version {version.id}: {version.facts.os_name}",
        builder_source=f"SharedImageVersion {source.image_version_id}{exact}",
        made_at=version.created_at,
        plan=version.plan,
    )
    context.events.note(f"Source {version.id.short} in {replica.region}, {disk.age.days} days old")
    return disk


def _found(image_version_id: str, context: SourceContext) -> VersionRecord:
    try:
        return context.versions.get(image_version_id)
    except VmwrightError as error:
        # in the service's words (reference §5.2)
        raise SourceError(
            f"Build (Shared Image Version) step failed for Image Version '{image_version_id}': "
            f"Error getting Image Version '{image_version_id}': {error.message}",
            target=TARGET,
            hint=error.hint,
        ) from error


def _replica_in(version: VersionRecord, location: str) -> Replica:
    if replica := version.replica_in(api_name(location)):
        return replica
    regions = ", ".join(version.regions)
    raise SourceError(
        f"BadSharedImageVersionSource: the image version {version.id} is not replicated to {location}, "
        f"the template's location; it is in {regions}",
        target=TARGET,
        hint=f'set the template\'s "location" to one of these, or distribute a version to {location}, too',
    )


async def _whole(replica: Replica, artifact: Artifact, context: SourceContext) -> Path:
    """Return the replica's file; where it is not what was distributed, the library's own.

    A replica is a file of one host: on another one of those that share a store it is no fault that it is not
    there.
    """
    if await is_intact(replica.path, artifact):
        return replica.path
    told = teller(context, f"fetching the image of {replica.region}")
    if context.artifacts.shared and not replica.path.exists():
        context.events.note(
            f"The replica in {replica.region} is not on this host ({replica.path}): "
            "the library's artifact is used"
        )
        return (await context.artifacts.fetch(artifact.digest, progress=told)).path
    what = "is not what was distributed" if replica.path.exists() else "is gone"
    context.events.warn(
        f"The replica in {replica.region} {what} ({replica.path}): the library's own copy is used instead. "
        "Remove the version (vmwright images rm) and distribute it again"
    )
    return (await context.artifacts.fetch(artifact.digest, progress=told)).path
