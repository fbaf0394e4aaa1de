"""Resources of one type as they are now: the library's records, with the documents beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vmwright.arm import ids
from vmwright.arm.providers.compute.documents import Documents, State, merged
from vmwright.arm.store import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from vmwright.arm.ids import ResourceId
    from vmwright.arm.providers.compute.documents import Document
    from vmwright.arm.service import Service

API_VERSION = "2024-11-01"


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the library: as Compute would show it, and when it was made.

    :param usual: properties that the library knows nothing of: what they are where no document says more.
    """

    body: Mapping[str, Any]
    made_at: datetime
    usual: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> ResourceId:
        """The id, as whoever made it wrote it."""
        return ids.parse(self.body["id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A resource as it is now.

    :param body: the newest api-version's, with all that is known.
    :param made_at: when its record was made; None of something that is not there yet, or could not be made.
    """

    body: Mapping[str, Any]
    made_at: datetime | None
    document: Document | None

    @property
    def id(self) -> ResourceId:
        """The id, as whoever made it wrote it."""
        return ids.parse(self.body["id"])

    @property
    def properties(self) -> Mapping[str, Any]:
        """What it is."""
        found: Mapping[str, Any] = self.body["properties"]
        return found

    def as_resource(self, at: datetime) -> Resource:
        """Return it as ARM's own lists know resources.

        :param at: when it was made, where there is no record yet.
        """
        made_at = self.made_at or at
        return Resource(
            id=self.body["id"],
            type=self.body["type"],
            name=self.body["name"],
            location=self.body["location"],
            tags=self.body["tags"],
            body={"properties": {"provisioningState": self.properties["provisioningState"]}},
            api_version=API_VERSION,
            created_by="",
            created_at=made_at,
            changed_at=made_at,
        )


class Collection:
    """All resources of a type.

    :param find: returns the library's record of an id, None where it has none.
    :param below: returns those in a subscription, group, gallery or definition; it may return more.
    """

    def __init__(
        self,
        service: Service,
        resource_type: str,
        *,
        find: Callable[[ResourceId], Record | None],
        below: Callable[[ResourceId], Iterable[Record]],
    ) -> None:
        self.type = resource_type
        self.documents = Documents(service.store, service.operations, resource_type)
        self._find = find
        self._below = below

    def find(self, wanted: ResourceId) -> Thing | None:
        """Return a resource, None where there is none."""
        record = self._find(wanted)
        return self._seen(record, self.documents.find(wanted if record is None else record.id))

    def below(self, scope: ResourceId) -> list[Thing]:
        """Return the resources in a subscription, group, gallery or definition, in the order of their ids."""
        around = f"{scope.key}/"
        records = {record.id.key: record for record in self._below(scope)}
        documents = {
            document.id.key: document
            for document in self.documents.find_all(scope.subscription, scope.group or None)
        }
        inside = sorted(key for key in records.keys() | documents.keys() if key.startswith(around))
        things = (self._seen(records.get(key), documents.get(key)) for key in inside)
        return [thing for thing in things if thing is not None]

    def _seen(self, record: Record | None, document: Document | None) -> Thing | None:
        if record is not None:
            return _recorded(record, document if document and document.is_about(record.made_at) else None)
        if document is None or document.of is not None:
            return None
        body = {
            "id": str(document.id),
            "name": document.id.name,
            "type": self.type,
            "location": document.wish.location,
            "tags": dict(document.wish.tags),
            "properties": {**document.wish.properties, "provisioningState": document.state.value},
        }
        return Thing(body=body, made_at=None, document=document)


def _recorded(record: Record, document: Document | None) -> Thing:
    beside = {**record.usual, **(document.wish.properties if document else {})}
    properties = merged(beside, record.body["properties"])
    if document is not None and document.state is not State.SUCCEEDED:
        properties["provisioningState"] = document.state.value
    return Thing(body={**record.body, "properties": properties}, made_at=record.made_at, document=document)
