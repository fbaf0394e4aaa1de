"""What a conversation takes for granted: what it names and does not make itself is put there first."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.build_rows import build_row
from tests.component.arm.replay.exchanges import Exchange
from tests.scripted_builds import FACTS, empty_disk
from vmwright.arm import ids
from vmwright.arm.ids import ResourceId
from vmwright.arm.store import GROUP_TYPE, ResourceStore
from vmwright.events import Events
from vmwright.images import GalleryId, Images, NewVersion
from vmwright.images import ids as gallery_ids
from vmwright.images.galleries import default_identifier
from vmwright.state.database import Database
from vmwright.state.resources import Ledger

ID = re.compile(
    r"/subscriptions/[^/\"]+/resourceGroups/[^/\"]+(?:/providers/[^/\"]+(?:/[^/\"]+)+)?", re.IGNORECASE
)
IDENTITY = "microsoft.managedidentity/userassignedidentities"
LOCATION = "westus"
# The number of a version that stands for latest where none was made before.
FIRST = "1.0.0"
LOWEST_REFUSAL = 400
GROUP_PARTS, NAMESPACE_PARTS = 4, 6


class Stage:
    """Puts groups, identities, galleries and sources there, as people had done who were recorded."""

    def __init__(self, database: Database, images: Images, folder: Path) -> None:
        self._database = database
        self._images = images
        self._store = ResourceStore(database)
        self._folder = folder

    async def prepare(self, exchange: Exchange, sent: Any) -> None:
        """Put there what a request is about or names; what it makes itself is its own to make.

        :param sent: its body as it will be sent.
        """
        about = ids.parse(_whole(exchange.path)) if ID.match(exchange.path) else None
        if about is not None and not (exchange.method == "PUT" and not about.namespace):
            self._group(about, exchange)
        if exchange.status >= LOWEST_REFUSAL:
            return
        if about is not None and exchange.method != "PUT":
            self._identity(about)
        for named in _named(sent):
            self._group(named, exchange)
            self._identity(named)
        if exchange.method == "PUT" and isinstance(sent, dict):
            await self._properties(sent.get("properties", {}), sent.get("location", LOCATION))

    def _group(self, resource: ResourceId, exchange: Exchange) -> None:
        group = ResourceId(resource.subscription, resource.group)
        if self._store.find(group) is not None:
            return
        shown = exchange.answered if exchange.kind.endswith(GROUP_TYPE) else None
        shown = shown if isinstance(shown, dict) else {}
        self._store.put(
            group,
            kind=GROUP_TYPE,
            location=shown.get("location", LOCATION),
            body={"properties": {"provisioningState": "Succeeded"}},
            tags=shown.get("tags", {}),
            api_version="2021-04-01",
            principal="",
        )

    def _identity(self, resource: ResourceId) -> None:
        if resource.type.lower() != IDENTITY or self._store.find(resource) is not None:
            return
        properties = {name: str(uuid.uuid4()) for name in ("tenantId", "principalId", "clientId")}
        self._store.put(
            resource,
            kind="Microsoft.ManagedIdentity/userAssignedIdentities",
            location=LOCATION,
            body={"properties": properties},
            tags={},
            api_version="2023-01-31",
            principal="",
        )

    async def _properties(self, properties: dict[str, Any], location: str) -> None:
        """Put there what a template is made of and where it goes."""
        for distributor in properties.get("distribute", []):
            if definition := distributor.get("galleryImageId"):
                self._definition(gallery_ids.parse_definition(definition), location)
        source = properties.get("source", {})
        if image := source.get("imageId"):
            await self._managed_image(image, location)
        if version := source.get("imageVersionId"):
            await self._version(gallery_ids.parse(version), location)

    def _definition(self, definition: GalleryId, location: str) -> None:
        galleries = self._images.galleries
        if galleries.find_definition(definition):
            return
        galleries.create_gallery(definition, location=location)
        galleries.create_definition(
            definition,
            location=location,
            os_type=FACTS.os_type,
            generation=FACTS.generation,
            identifier=default_identifier(definition),
        )

    async def _managed_image(self, image_id: str, location: str) -> None:
        if self._images.managed.find(image_id) is not None:
            return
        self._images.managed.put(
            image_id,
            location=location,
            artifact=await self._images.artifacts.adopt(await empty_disk(self._folder), "qcow2"),
            facts=FACTS,
            tags={},
            writing=self._database.session,
        )

    async def _version(self, version: GalleryId, location: str) -> None:
        if version.is_latest:
            version = version.of_version(FIRST)
        if self._images.versions.find(version) is not None:
            return
        self._definition(version, location)
        row = build_row()
        with self._database.session() as session:
            session.add(row)
        new = NewVersion(
            id=version,
            artifact=await self._images.artifacts.adopt(await empty_disk(self._folder), "qcow2"),
            facts=FACTS,
            api_version="2022-07-01",
            source_version="",
            build_id=row.id,
            run_output="",
            tags={},
        )
        writing = self._database.session
        await self._images.versions.add(new, writing=writing, ledger=Ledger(self._database), events=Events())


def restore(exchange: Exchange, sent: Any) -> Any:
    """Return a body with the subscription that the recorder has put zeros for, where an answer tells it."""
    if exchange.status != 403:
        return sent
    linked = re.search(r"linked subscription '([^']+)'", json.dumps(exchange.answered))
    if linked is None:
        return sent
    foreign = re.compile(
        r"/subscriptions/[^/\"]+(?=/resourceGroups/[^/\"]+/providers/Microsoft.ManagedIdentity/)"
    )
    return json.loads(foreign.sub(f"/subscriptions/{linked[1]}", json.dumps(sent)))


def _whole(path: str) -> str:
    """Return the id in a path: without the action or the collection at its end."""
    parts = path.strip("/").split("/")
    length = len(parts) // 2 * 2
    return f"/{'/'.join(parts[: GROUP_PARTS if length == NAMESPACE_PARTS else length])}"


def _named(sent: Any) -> Iterator[ResourceId]:
    for found in dict.fromkeys(ID.findall(json.dumps(sent))):
        yield ids.parse(_whole(found))
