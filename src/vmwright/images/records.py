"""What the library says of galleries, image definitions and versions; Compute's shapes (reference §20)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from vmwright.regions import display_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from vmwright.artifacts import Artifact
    from vmwright.artifacts.facts import ImageFacts
    from vmwright.images.ids import GalleryId
    from vmwright.template.model import Generation, OsType, PlanInfo, TargetRegion, Versioning

GIB = 1 << 30
DEFAULT_STORAGE = "Standard_LRS"


class ProvisioningState(StrEnum):
    """Whether a version is there, or is being made or removed: Azure's words."""

    CREATING = "Creating"
    SUCCEEDED = "Succeeded"
    DELETING = "Deleting"


def unique_name(gallery: GalleryId) -> str:
    """Return what a gallery is called among all there are."""
    return f"{gallery.subscription}-{gallery.gallery.upper()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryRecord:
    """A gallery."""

    id: GalleryId
    location: str
    tags: Mapping[str, str]
    created_at: datetime

    def as_resource(self) -> dict[str, Any]:
        """Return the gallery as ``GET Microsoft.Compute/galleries/{name}`` answers it."""
        return {
            "id": str(self.id),
            "name": self.id.gallery,
            "type": "Microsoft.Compute/galleries",
            "location": self.location,
            "tags": dict(self.tags),
            "properties": {
                "identifier": {"uniqueName": unique_name(self.id)},
                "provisioningState": "Succeeded",
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """What an image definition calls itself, as marketplace images do; unique in its gallery."""

    publisher: str
    offer: str
    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionRecord:
    """An image definition: what all its versions, which are generalized images, have in common."""

    id: GalleryId
    location: str
    os_type: OsType
    generation: Generation
    identifier: Identifier
    plan: PlanInfo | None
    tags: Mapping[str, str]
    created_at: datetime

    def as_resource(self) -> dict[str, Any]:
        """Return the definition as ``GET .../galleries/{gallery}/images/{name}`` answers it."""
        identifier = self.identifier
        properties: dict[str, Any] = {
            "hyperVGeneration": self.generation.value,
            "architecture": "x64",
            "osType": self.os_type.value,
            "osState": "Generalized",
            "identifier": {
                "publisher": identifier.publisher,
                "offer": identifier.offer,
                "sku": identifier.sku,
            },
            "provisioningState": "Succeeded",
        }
        if self.plan:
            properties["purchasePlan"] = {
                "name": self.plan.plan_name,
                "publisher": self.plan.plan_publisher,
                "product": self.plan.plan_product,
            }
        return {
            "id": str(self.id),
            "name": self.id.definition,
            "type": "Microsoft.Compute/galleries/images",
            "location": self.location,
            "tags": dict(self.tags),
            "properties": properties,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A version's copy in one region (as the API writes it): one file, however many the template asks for."""

    region: str
    path: Path
    regional_replica_count: int = 1
    storage_account_type: str = DEFAULT_STORAGE

    def as_target_region(self) -> dict[str, Any]:
        """Return the replica as a version's ``targetRegions`` has it."""
        return {
            "name": display_name(self.region),
            "regionalReplicaCount": self.regional_replica_count,
            "storageAccountType": self.storage_account_type,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """A version of an image definition.

    :param digest: the SHA-256 of its artifact, which every replica is a copy of.
    :param plan: the marketplace plan of what it was built from, handed on to what is built from it.
    :param tags: artifactTags, correlationId and VMImageBuilderSource (reference §11.1).
    """

    id: GalleryId
    location: str
    digest: str
    facts: ImageFacts
    state: ProvisioningState
    exclude_from_latest: bool
    replication_mode: str | None
    plan: PlanInfo | None
    tags: Mapping[str, str]
    build_id: str | None
    created_at: datetime
    replicas: tuple[Replica, ...]

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that it is replicated to, as the API writes them."""
        return tuple(replica.region for replica in self.replicas)

    def replica_in(self, region: str) -> Replica | None:
        """Return the replica of a region, which is given as the API writes it."""
        return next((replica for replica in self.replicas if replica.region == region), None)

    def as_resource(self) -> dict[str, Any]:
        """Return the version as ``GET .../images/{definition}/versions/{number}`` answers it."""
        publishing: dict[str, Any] = {
            "targetRegions": [replica.as_target_region() for replica in self.replicas],
            "replicaCount": 1,
            "excludeFromLatest": self.exclude_from_latest,
            "publishedDate": self.created_at.isoformat(),
            "storageAccountType": DEFAULT_STORAGE,
        }
        if self.replication_mode:
            publishing["replicationMode"] = self.replication_mode
        disk = {"sizeInGB": -(-self.facts.size_bytes // GIB), "hostCaching": "ReadWrite", "source": {}}
        return {
            "id": str(self.id),
            "name": self.id.version,
            "type": "Microsoft.Compute/galleries/images/versions",
            "location": self.location,
            "tags": dict(self.tags),
            "properties": {
                "publishingProfile": publishing,
                "storageProfile": {"osDiskImage": disk},
                "provisioningState": self.state.value,
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version that is to be made.

    :param id: of its definition; with a number where that is given.
    :param versioning: how the number is found where the id has none, together with ``api_version`` and
        ``source_version`` (``numbers.choose``).
    :param build_id: the build that makes it, ``run_output`` the name of its run output that it is.
    :param operation_id: the service's operation that makes it, where no build does.
    :param location: its own region; "" for the definition's.
    :param regions: where replicas go; its own region is added where it is not among them.
    """

    id: GalleryId
    artifact: Artifact
    facts: ImageFacts
    api_version: str
    source_version: str
    tags: Mapping[str, str]
    build_id: str | None = None
    run_output: str | None = None
    operation_id: str | None = None
    location: str = ""
    versioning: Versioning | None = None
    regions: tuple[TargetRegion, ...] = ()
    exclude_from_latest: bool = False
    replication_mode: str | None = None
    plan: PlanInfo | None = None
