"""Gallery versions: imported, shown, listed, changed with their regions, removed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from vmwright.arm.checks import check_stays, location_of, tags_of
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.compute import lives, origins, regions, shapes
from vmwright.arm.providers.compute.blobs import blobs_of
from vmwright.arm.providers.compute.collection import Collection, Record
from vmwright.arm.providers.compute.documents import Wish
from vmwright.arm.providers.compute.galleries import patched
from vmwright.arm.providers.compute.imports import Expected, bring
from vmwright.arm.providers.compute.names import VERSIONS, invalid, parent_missing, properties_of
from vmwright.arm.providers.compute.origins import URI, Origin
from vmwright.events import Events
from vmwright.images import NewVersion
from vmwright.images.ids import parse
from vmwright.images.records import DEFAULT_STORAGE
from vmwright.images.replication import VersionChange
from vmwright.state.resources import Ledger
from vmwright.template.model import TargetRegion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from vmwright.arm.http.call import Call
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.operations import Operation
    from vmwright.arm.providers.compute.collection import Thing
    from vmwright.arm.providers.compute.documents import Document
    from vmwright.arm.providers.compute.imports import Brought
    from vmwright.arm.service import Service
    from vmwright.images.records import VersionRecord

# The library knows nothing of these: what they are where nobody said otherwise.
USUAL = {"safetyProfile": {"reportedForPolicyViolation": False, "allowDeletionOfReplicatedLocations": False}}
MODES = ("Full", "Shallow")
SOURCE = "galleryImageVersion.properties.storageProfile.source"


class Versions:
    """Microsoft.Compute/galleries/images/versions (``writing.Kind``)."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._images = service.images
        self.collection = Collection(service, VERSIONS, find=self._find, below=self._below)

    def wish(self, call: Call, wanted: ResourceId, there: Thing | None) -> Wish:
        """Return what a request wants: a source to make a version of, the regions that it is to be in."""
        document = call.document()
        given = properties_of(document)
        if call.method == "PATCH":
            wish = patched(document, wanted, there)
        else:
            wish = Wish(
                location=location_of(document, VERSIONS),
                tags=tags_of(document),
                properties=shapes.kept(given),
            )
        if there is None or there.made_at is None:
            if self._images.galleries.find_definition(parse(str(wanted))) is None:
                raise parent_missing("write", wanted)
            return self._filled(wish, _new_origin(wish.properties))
        check_stays(there.as_resource(there.made_at), wish.location)
        _check_source(there.properties, given)
        properties = shapes.patched(shapes.kept(there.properties), _changeable(wish.properties))
        return self._filled(Wish(location=wish.location, tags=wish.tags, properties=properties), None)

    async def make(self, document: Document, operation: Operation) -> datetime:
        """Import a version, or change one."""
        if document.wish.origin is None:
            return (await self._change(document)).created_at
        made = await asyncio.to_thread(self._images.versions.begin_again, operation.id)
        return (made or await self._add(document, Origin.kept(document.wish.origin), operation)).created_at

    def check_removable(self, there: Thing) -> None:
        """Check that no build stands on a version, and that it need not stay for longer."""
        lives.check_over(there)
        version = self._images.versions.find(parse(str(there.id)))
        if version is not None and (build := self._images.artifacts.build_on(version.digest)):
            raise ArmError(
                409,
                "Conflict",
                f"The build {build} stands on {version.id}: wait for its end, or cancel it.",
                target=str(version.id),
            )

    def remove(self, wanted: ResourceId) -> None:
        """Remove a version with its replicas."""
        self._images.versions.remove(parse(str(wanted)))

    async def _add(self, document: Document, origin: Origin, operation: Operation) -> VersionRecord:
        definition = await asyncio.to_thread(self._images.galleries.get_definition, parse(str(document.id)))
        expected = Expected(
            what=f"The image definition {definition.id.definition}",
            os_type=definition.os_type,
            generation=definition.generation,
        )
        brought = await bring(origin, expected, self._service)
        try:
            return await self._images.versions.add(
                _new_version(document, brought, operation),
                writing=self._service.database.session,
                ledger=Ledger(self._service.database),
                events=Events(self._service.events.say),
            )
        except Exception:
            await asyncio.to_thread(self._images.artifacts.remove_unused, brought.artifact.digest)
            raise

    async def _change(self, document: Document) -> VersionRecord:
        publishing = document.wish.properties["publishingProfile"]
        change = VersionChange(
            tags=document.wish.tags,
            exclude_from_latest=publishing["excludeFromLatest"],
            regions=_regions(publishing),
        )
        return await self._images.replication.change(
            parse(str(document.id)),
            change,
            ledger=Ledger(self._service.database),
            events=Events(self._service.events.say),
        )

    def _filled(self, wish: Wish, origin: Origin | None) -> Wish:
        """Return what is wanted with all that Compute fills in."""
        publishing = {"replicaCount": 1, "excludeFromLatest": False, "storageAccountType": DEFAULT_STORAGE}
        publishing |= wish.properties.get("publishingProfile", {})
        if not isinstance(publishing["excludeFromLatest"], bool):
            raise invalid(f"{regions.PROFILE}.excludeFromLatest", "excludeFromLatest is true or false.")
        if publishing.get("replicationMode", MODES[0]) not in MODES:
            raise invalid(f"{regions.PROFILE}.replicationMode", f"It is one of {', '.join(MODES)}.")
        if "endOfLifeDate" in publishing:
            lives.read(publishing["endOfLifeDate"])
        known = self._service.settings.stores
        wanted = regions.read(publishing, wish.location, known)
        publishing["targetRegions"] = regions.shown(wanted)
        properties = {**wish.properties, "publishingProfile": publishing}
        if origin is not None and origin.kind == URI:
            disk = properties["storageProfile"]["osDiskImage"]
            source = {**disk["source"], "uri": origins.public(origin.value)}
            storage = {**properties["storageProfile"], "osDiskImage": {**disk, "source": source}}
            properties["storageProfile"] = storage
        return Wish(
            location=wish.location,
            tags=wish.tags,
            properties=properties,
            origin=origin.to_keep() if origin else None,
        )

    def _find(self, wanted: ResourceId) -> Record | None:
        found = self._images.versions.find(parse(str(wanted)))
        return next(self._records([found])) if found else None

    def _below(self, scope: ResourceId) -> Iterable[Record]:
        return self._records(self._images.versions.list(parse(str(scope))))

    def _records(self, versions: Sequence[VersionRecord]) -> Iterator[Record]:
        blobs = blobs_of((version.build_id for version in versions), self._service)
        for version in versions:
            blob = blobs.get(version.build_id or "")
            storage = {"storageProfile": {"osDiskImage": {"source": blob}}} if blob else {}
            yield Record(version.as_resource(), version.created_at, usual=USUAL | storage)


def replication_status(version: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``$expand=ReplicationStatus`` adds: a version is there when all of its replicas are."""
    is_there = version["properties"]["provisioningState"] in {"Succeeded", "Updating"}
    state, progress = ("Completed", 100) if is_there else ("Replicating", 0)
    targets = version["properties"]["publishingProfile"]["targetRegions"]
    return {
        "aggregatedState": "Completed" if is_there else "InProgress",
        "summary": [
            {"region": target["name"], "state": state, "details": "", "progress": progress}
            for target in targets
        ],
    }


def _new_origin(properties: Mapping[str, Any]) -> Origin:
    origin = origins.of_version(properties)
    if origin is None:
        raise invalid(SOURCE, f"Required parameter '{SOURCE}' is missing (null).")
    return origin


def _check_source(there: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Check that a request which names a source names that which the version was made of.

    :raises ArmError: it names another one.
    """
    before, after = origins.of_version(there), origins.of_version(given)
    if after is not None and after.kind == URI:
        after = Origin(URI, origins.public(after.value))
    if after is not None and after != before:
        raise ArmError(
            409, "PropertyChangeNotAllowed", f"Changing property '{SOURCE}' is not allowed.", target=SOURCE
        )


def _changeable(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a body changes a version: its disk stays what it is."""
    return {name: value for name, value in properties.items() if name != "storageProfile"}


def _new_version(document: Document, brought: Brought, operation: Operation) -> NewVersion:
    wish = document.wish
    publishing = wish.properties["publishingProfile"]
    return NewVersion(
        id=parse(str(document.id)),
        artifact=brought.artifact,
        facts=brought.facts,
        api_version="",
        source_version="",
        tags=wish.tags,
        operation_id=operation.id,
        location=wish.location,
        regions=_regions(publishing),
        exclude_from_latest=publishing["excludeFromLatest"],
        replication_mode=publishing.get("replicationMode"),
        plan=brought.plan,
    )


def _regions(publishing: Mapping[str, Any]) -> tuple[TargetRegion, ...]:
    return tuple(
        TargetRegion(
            name=target["name"],
            replica_count=target["regionalReplicaCount"],
            storage_account_type=target["storageAccountType"],
        )
        for target in publishing["targetRegions"]
    )
