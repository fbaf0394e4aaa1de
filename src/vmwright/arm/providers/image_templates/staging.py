"""The staging resource group of a template: its name, tags, storage account and end (reference §14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm import ids
from vmwright.arm.http.errors import ArmError
from vmwright.arm.ids import ResourceId
from vmwright.arm.providers.storage import accounts
from vmwright.arm.store import GROUP_TYPE
from vmwright.regions import api_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.arm.store import Resource, ResourceStore

LONGEST = 40
MAKER = "AzureVMImageBuilder"
CREATED_BY, USED_BY = "createdBy", "usedBy"
TEMPLATE_NAME, TEMPLATE_GROUP = "imageTemplateName", "imageTemplateResourceGroupName"
API_VERSION = "2021-04-01"


def group_name(template: ResourceId, unique: str) -> str:
    """Return the name of the group that is made for a template.

    :param unique: a UUID.
    """
    return f"IT_{f'{template.group}_{template.name}'[:LONGEST]}_{unique}"


def prepare(
    store: ResourceStore, template: Resource, wanted: str, *, unique: str, tags: Mapping[str, str]
) -> str:
    """Make a template's staging group, or mark the one that it names as used, and return its id.

    Its storage account is made in it, also where the group is another subscription's, which is not kept here.

    :param wanted: the id of a group, as the template gives it; "" for one of its own.
    :param tags: what its group is to have besides (``managedResourceTags``).
    :raises ArmError: the group that it names cannot be used.
    """
    owner = ids.parse(template.id)
    if wanted:
        group = ids.parse(f"/{wanted.removeprefix('/')}")
    else:
        group = ResourceId(owner.subscription, group_name(owner, unique))
    if group.subscription.lower() != owner.subscription.lower():
        accounts.make(store, group, template, {CREATED_BY: MAKER, **_marks(owner)})
        return str(group)
    there = store.find(group)
    if there is not None:
        _check_usable(store, there, template)
    own = there is None or _is_made_here(there)
    marks = {CREATED_BY if own else USED_BY: MAKER, **_marks(owner)}
    kept = {} if there is None else there.tags
    # nobody says by a tag of a template that a group is the service's to remove
    given = {name: value for name, value in tags.items() if name != CREATED_BY}
    store.put(
        group,
        kind=GROUP_TYPE,
        location=template.location if there is None else there.location,
        body={"properties": {"provisioningState": "Succeeded"}} if there is None else there.body,
        tags={**kept, **given, **marks},
        api_version=API_VERSION,
        principal=template.created_by,
    )
    accounts.make(store, group, template, {**tags, CREATED_BY: MAKER, **_marks(owner)})
    return str(group)


def remove(store: ResourceStore, template: Resource) -> None:
    """Remove the staging group that was made for a template, or take the marks off one that was there."""
    exact = template.properties.get("exactStagingResourceGroup")
    group = ids.parse(exact) if exact else None
    if group is None:
        return
    owner = ids.parse(template.id)
    accounts.remove(store, group, owner)
    there = store.find(group)
    if there is None or not _is_marked(there, owner):
        return
    if _is_made_here(there):
        for inside in store.find_all(subscription=group.subscription, group=group.group):
            store.remove(ids.parse(inside.id))
        store.remove(group)
        return
    marks = {USED_BY, *_marks(owner)}
    store.update(group, tags={name: value for name, value in there.tags.items() if name not in marks})


def _check_usable(store: ResourceStore, there: Resource, template: Resource) -> None:
    """Check a group that a template names.

    :raises ArmError: it is another template's, in another region, or not empty.
    """
    owner, group = ids.parse(template.id), ids.parse(there.id)
    if TEMPLATE_NAME in there.tags:
        if _is_marked(there, owner):
            return
        raise _unusable(there, f"the template {there.tags[TEMPLATE_NAME]} uses it")
    if api_name(there.location) != api_name(template.location):
        raise _unusable(there, f"it is in {there.location}, the template in {template.location}")
    if store.find_all(subscription=group.subscription, group=group.group):
        raise _unusable(there, "it is not empty")


def _unusable(there: Resource, why: str) -> ArmError:
    return ArmError(
        400,
        "BadStagingResourceGroup",
        f"The staging resource group {there.id} cannot be used: {why}. Hint: name an empty resource group in "
        "the template's region, or one that does not exist yet.",
        target="properties.stagingResourceGroup",
    )


def _is_made_here(group: Resource) -> bool:
    """Whether the service has made a group; people have tags of that name for themselves."""
    return group.tags.get(CREATED_BY) == MAKER


def _is_marked(there: Resource, owner: ResourceId) -> bool:
    return all(there.tags.get(name, "").lower() == value.lower() for name, value in _marks(owner).items())


def _marks(owner: ResourceId) -> dict[str, str]:
    return {TEMPLATE_NAME: owner.name, TEMPLATE_GROUP: owner.group}
