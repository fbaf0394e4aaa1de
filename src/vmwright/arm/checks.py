"""What ARM checks of a resource whatever its type: its group, its location, its tags, its name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vmwright.arm.http.errors import ArmError, group_not_found
from vmwright.arm.ids import ResourceId
from vmwright.regions import DISPLAY_NAMES, api_name, display_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.arm.store import Resource, ResourceStore

DELETING = "Deleting"
MOST_TAGS = 50
LONGEST_TAG_NAME = 512
LONGEST_TAG_VALUE = 256
LONGEST_GROUP_NAME = 90
NOT_IN_TAG_NAMES = "<>%&\\?/"
NOT_IN_GROUP_NAMES = re.compile(r"[^\w().-]")


def find_group(store: ResourceStore, subscription: str, group: str) -> Resource:
    """Return a resource group (one transaction).

    :raises ArmError: there is none.
    """
    found = store.find(ResourceId(subscription, group))
    if found is None:
        raise group_not_found(group)
    return found


def find_group_to_write(store: ResourceStore, subscription: str, group: str) -> Resource:
    """Return a resource group in which something is to be made or changed (one transaction).

    :raises ArmError: there is none, or it is being deleted.
    """
    found = find_group(store, subscription, group)
    check_open(found)
    return found


def is_being_deleted(group: Resource) -> bool:
    """Tell whether a resource group is on its way out."""
    return group.properties.get("provisioningState") == DELETING


def check_open(group: Resource) -> None:
    """Check that something may be made or changed in a resource group.

    :raises ArmError: it is being deleted.
    """
    if is_being_deleted(group):
        raise ArmError(
            409,
            "ResourceGroupBeingDeleted",
            f"The resource group '{group.name}' is in deprovisioning state and cannot perform this "
            "operation.",
            is_gateways=True,
        )


def location_of(document: Mapping[str, Any], resource_type: str) -> str:
    """Return the location that a body gives a resource, as the API writes it: ``West US`` is ``westus``.

    :param resource_type: with its namespace, such as Microsoft.Compute/galleries.
    :raises ArmError: there is none, or it is no region.
    """
    given = document.get("location")
    if not isinstance(given, str) or not given.strip():
        raise ArmError(
            400,
            "LocationRequired",
            "The location property is required for this definition.",
            target="location",
            is_gateways=True,
        )
    if api_name(given) not in DISPLAY_NAMES:
        raise ArmError(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{given}' is not available for resource type '{resource_type}'. "
            f"List of available regions for the resource type is '{','.join(DISPLAY_NAMES)}'.",
            target="location",
            is_gateways=True,
        )
    return api_name(given)


def check_stays(existing: Resource, location: str) -> None:
    """Check that a resource stays where it is.

    :raises ArmError: it is in another location.
    """
    if api_name(existing.location) == api_name(location):
        return
    raise ArmError(
        409,
        "InvalidResourceLocation",
        f"The resource '{existing.name}' already exists in location '{api_name(existing.location)}'. A "
        f"resource with the same name cannot be created in location '{api_name(location)}'. Please select "
        "a new resource name.",
        target="location",
        is_gateways=True,
    )


def check_group_stays(existing: Resource, location: str) -> None:
    """Check that a resource group stays where it is.

    :raises ArmError: it is in another location.
    """
    if api_name(existing.location) == api_name(location):
        return
    raise ArmError(
        409,
        "InvalidResourceGroupLocation",
        f"Invalid resource group location '{api_name(location)}'. The Resource group already exists in "
        f"location '{api_name(existing.location)}' ({display_name(existing.location)}).",
        target="location",
        is_gateways=True,
    )


def check_group_name(name: str) -> None:
    """Check the name of a new resource group.

    :raises ArmError: it is too long, ends with a point, or has characters that none may have.
    """
    wrong = ""
    if invalid := "".join(dict.fromkeys(NOT_IN_GROUP_NAMES.findall(name))):
        wrong = (
            f" has these invalid characters: '{invalid}'. The name can only be a letter, digit, '-', '.', "
            "'(', ')' or '_'."
        )
    elif len(name) > LONGEST_GROUP_NAME:
        wrong = f" has {len(name)} characters. A name has at most {LONGEST_GROUP_NAME}."
    elif name.endswith("."):
        wrong = " ends with a period, which no name does."
    if wrong:
        raise ArmError(
            400,
            "InvalidResourceGroup",
            f"The provided resource group name '{name}'{wrong}",
            is_gateways=True,
        )


def tags_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags in a body; {} where it has none, or ``null``.

    :raises ArmError: they are not texts, too many, too long, or have characters that no tag's name has.
    """
    given = document.get("tags")
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise _invalid_tags(
            "InvalidRequestContent", "The request content was invalid: tags are an object of texts."
        )
    if len(given) > MOST_TAGS:
        raise _invalid_tags(
            "TooManyTags", f"A resource has at most {MOST_TAGS} tags, but {len(given)} are given."
        )
    for name, value in given.items():
        _check_tag(name, value)
    if twice := len(given) - len({name.lower() for name in given}):
        raise _invalid_tags(
            "DuplicateTagName", f"The names of tags differ in more than case; {twice} of these do not."
        )
    return dict(given)


def _check_tag(name: str, value: str) -> None:
    if any(character in NOT_IN_TAG_NAMES or not character.isprintable() for character in name):
        raise _invalid_tags(
            "InvalidTagNameCharacters",
            f"The tag names '{name}' have reserved characters '<,>,%,&,\\,?,/' or control characters.",
        )
    if not 0 < len(name) <= LONGEST_TAG_NAME:
        raise _invalid_tags(
            "InvalidTagNameLength",
            f"The name of a tag has 1 to {LONGEST_TAG_NAME} characters, but that of one has {len(name)}.",
        )
    if len(value) > LONGEST_TAG_VALUE:
        raise _invalid_tags(
            "InvalidTagValueLength",
            f"Tag value too large. The value of the tag '{name}' has {len(value)} characters. Maximum "
            f"allowed length for tag value - '{LONGEST_TAG_VALUE}' characters.",
        )


def _invalid_tags(code: str, message: str) -> ArmError:
    return ArmError(400, code, message, target="tags", is_gateways=True)
