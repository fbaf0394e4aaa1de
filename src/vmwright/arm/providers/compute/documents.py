"""What clients send and the library of images has no place for, kept beside its records.

**What is true.** The library (``images/``) says what there is: a gallery, definition, version or managed
image is there when the library has a record of it, and what the record knows (location, tags, disk, regions)
is shown from it. Builds write records without a service, and so may other processes at any time.

A document of the same id has the rest: properties that the record has no column for, and how a write goes
that has begun (``state``). It is about one record, that which was made at ``of``: a record that a build has
put in its place has nothing to do with it. A document that is about no record is that of something that is
being made, or could not be made. Documents are no resources: lists of those do not have them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from vmwright.arm import ids
from vmwright.arm.http.errors import ArmError
from vmwright.arm.operations import Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from vmwright.arm.http.call import Call
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.operations import Operation, Operations
    from vmwright.arm.store import Resource, ResourceStore

KEPT_AS = "Microsoft.Resources/compute/"


class State(StrEnum):
    """How it goes with a resource: Compute's ``provisioningState``."""

    CREATING = "Creating"
    UPDATING = "Updating"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    DELETING = "Deleting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a client wants of a resource.

    :param properties: as they are to be shown, without ``provisioningState``.
    :param origin: where the bytes come from, as long as they are not here (``origins.py``).
    """

    location: str
    tags: Mapping[str, str]
    properties: Mapping[str, Any]
    origin: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document; ``of`` is when the record was made that it is about, None where there is none yet."""

    id: ResourceId
    wish: Wish
    state: State
    of: str | None
    operation: str

    def is_about(self, made_at: datetime) -> bool:
        """Whether it is about the record that was made at that time."""
        return self.of == made_at.isoformat()


class Documents:
    """The documents of one type of resource."""

    def __init__(self, store: ResourceStore, operations: Operations, resource_type: str) -> None:
        self._store = store
        self._operations = operations
        self._kind = f"{KEPT_AS}{resource_type}"

    def find(self, wanted: ResourceId) -> Document | None:
        """Return a document, None where there is none."""
        kept = self._store.find(wanted)
        return _document(kept) if kept is not None and kept.type == self._kind else None

    def find_all(self, subscription: str, group: str | None) -> list[Document]:
        """Return all documents of a group, or of the subscription."""
        kept = self._store.find_all(kind=self._kind, subscription=subscription, group=group)
        return [_document(one) for one in kept]

    def write(
        self, wanted: ResourceId, wish: Wish, operation: Operation, call: Call, *, made_at: datetime | None
    ) -> Document:
        """Keep what a client wants, until ``operation`` has done it.

        :param made_at: when the record was made that is to be changed; None to make one.
        :raises ArmError: another operation has not ended.
        """
        kept, _ = self._store.put(
            wanted,
            kind=self._kind,
            location=wish.location,
            tags=wish.tags,
            body={
                "properties": dict(wish.properties),
                "origin": dict(wish.origin) if wish.origin else None,
                "state": State.UPDATING if made_at else State.CREATING,
                "of": made_at.isoformat() if made_at else None,
                "operation": operation.id,
            },
            api_version=call.api_version,
            principal=call.principal.id,
            check=self._check_idle,
        )
        return _document(kept)

    def settle(self, document: Document, made_at: datetime) -> None:
        """Note that a write is done, and which record it is about now."""
        self._change(document, state=State.SUCCEEDED, of=made_at.isoformat(), origin=None)

    def fail(self, document: Document) -> None:
        """Note that a write has failed."""
        self._change(document, state=State.FAILED, origin=None)

    def deleting(self, document: Document, operation: Operation) -> None:
        """Note that a resource is being removed.

        :raises ArmError: another operation has not ended.
        """

        def revised(kept: Resource) -> Mapping[str, object]:
            self._check_idle(kept)
            return {"body": {**kept.body, "state": State.DELETING, "operation": operation.id}}

        self._store.revise(document.id, revised)

    def stay(self, document: Document) -> None:
        """Note that a resource could not be removed."""
        self._change(document, state=State.SUCCEEDED if document.of else State.FAILED)

    def remove(self, wanted: ResourceId) -> None:
        """Remove a document, where there is one, and those of what is in its resource."""
        self._store.remove(wanted)

    def _change(self, document: Document, **values: object) -> None:
        """Change a document, unless another operation has it by now."""

        def revised(kept: Resource) -> Mapping[str, object]:
            if kept.body["operation"] != document.operation:
                return {}
            return {"body": {**kept.body, **values}}

        self._store.revise(document.id, revised)

    def _check_idle(self, kept: Resource | None) -> None:
        if kept is None or kept.body["state"] in {State.SUCCEEDED, State.FAILED}:
            return
        operation = self._operations.find(kept.body["operation"])
        if operation is not None and operation.status is Status.IN_PROGRESS:
            raise ArmError(
                409,
                "Conflict",
                f"The resource '{kept.id}' is {kept.body['state']}: that has to end first.",
            )


def merged(kept: Mapping[str, Any], true: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties as a document keeps them, with what a record says in their places."""
    both = dict(kept)
    for name, value in true.items():
        inner = both.get(name)
        is_deep = isinstance(value, dict) and isinstance(inner, dict)
        both[name] = merged(inner, value) if is_deep and inner is not None else value
    return both


def _document(kept: Resource) -> Document:
    body = kept.body
    return Document(
        id=ids.parse(kept.id),
        wish=Wish(location=kept.location, tags=kept.tags, properties=kept.properties, origin=body["origin"]),
        state=State(body["state"]),
        of=body["of"],
        operation=body["operation"],
    )
