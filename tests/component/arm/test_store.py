"""The resources and operations that ARM keeps."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from vmwright.arm.http.errors import ArmError
from vmwright.arm.ids import ResourceId
from vmwright.arm.operations import Operations, Status
from vmwright.arm.store import GROUP_TYPE, Resource, ResourceStore
from vmwright.state.database import Database

WEB = ResourceId("S", "Web")
THING = ResourceId("S", "Web", "A.B", ("things",), ("One",))


@pytest.fixture
def store(database: Database) -> ResourceStore:
    return ResourceStore(database)


def put(store: ResourceStore, wanted: ResourceId, kind: str = "A.B/things", **columns: Any) -> Resource:
    values: dict[str, Any] = {
        "location": "westus",
        "body": {},
        "tags": {},
        "api_version": "",
        "principal": "",
    }
    return store.put(wanted, kind=kind, **{**values, **columns})[0]


def upper(wanted: ResourceId) -> ResourceId:
    return ResourceId(
        wanted.subscription.lower(), wanted.group.upper(), wanted.namespace, wanted.types, ("ONE",)
    )


def test_what_is_put_again_keeps_its_name_and_birth(store: ResourceStore) -> None:
    first = put(store, THING, tags={"a": "1"})
    second = put(store, upper(THING), tags={"b": "2"})
    assert (second.id, second.name, second.created_at) == (str(THING), "One", first.created_at)
    assert store.find(THING) == store.find(upper(THING)) == second
    assert second.tags == {"b": "2"}


def test_a_check_that_refuses_leaves_all_as_it_was(store: ResourceStore) -> None:
    def refuse(there: Resource | None) -> None:
        raise ArmError(409, "Conflict", "no")

    with pytest.raises(ArmError):
        put(store, THING, check=refuse)
    assert store.find(THING) is None


def test_lists_have_neither_arms_own_nor_what_is_in_others(store: ResourceStore) -> None:
    put(store, WEB, GROUP_TYPE)
    put(
        store,
        ResourceId("S", "Web", "Microsoft.Resources", ("deployments",), ("d",)),
        "Microsoft.Resources/deployments",
    )
    put(store, THING)
    part = THING.below("parts", "p")
    put(store, part, "A.B/things/parts")
    assert [one.id for one in store.find_all(subscription="s")] == [str(THING)]
    assert [one.id for one in store.find_all(subscription="S", group="WEB", kind=GROUP_TYPE)] == [str(WEB)]
    assert [one.id for one in store.children(THING)] == [str(part)]


def test_what_is_removed_takes_along_what_is_in_it_and_nothing_that_is_alike(store: ResourceStore) -> None:
    alike = [ResourceId("S", name, "A.B", ("things",), ("x",)) for name in ("a_b", "a%b", "aXb", "a_bc")]
    for wanted in alike:
        put(store, wanted)
    assert not store.remove(ResourceId("S", "a_b"))
    assert {one.id for one in store.find_all(subscription="S")} == {str(one) for one in alike[1:]}
    assert store.remove(alike[1])
    assert not store.remove(alike[1])


def test_changes_at_once_are_all_kept(store: ResourceStore) -> None:
    put(store, THING, body={"properties": {"count": 0}})

    def more(found: Resource) -> dict[str, object]:
        return {"body": {"properties": {"count": found.properties["count"] + 1}}}

    threads = [threading.Thread(target=store.revise, args=(THING, more)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = store.find(THING)
    assert found is not None
    assert found.properties == {"count": 8}
    assert store.revise(WEB, more) is None


def test_an_operation_ends_once(database: Database) -> None:
    operations = Operations(database)
    begun = operations.begin("things/write", THING, location="West US")
    assert begun.document().keys() == {"name", "status", "startTime"}
    assert begun.document()["name"] == begun.id.upper()
    operations.end(begun.id, Status.FAILED, ArmError(400, "Bad", "it is", target="/t"))
    operations.end(begun.id, Status.SUCCEEDED)
    ended = operations.find(begun.id.upper())
    assert ended is not None
    assert ended.document()["status"] == "Failed"
    assert ended.document()["error"] == {"code": "Bad", "message": "it is", "target": "/t"}
    assert operations.open_ones("things/write") == []
    assert operations.find("no such") is None
