"""What the provider's resources are called, and which api-versions it has (reference §1, §5.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmwright.arm.checks import find_group
from vmwright.arm.http.errors import ArmError, not_found
from vmwright.arm.http.routing import GROUP
from vmwright.arm.ids import ResourceId
from vmwright.template.contract import API_VERSIONS, FIRST, reaches
from vmwright.template.formats import is_name

if TYPE_CHECKING:
    from vmwright.arm.http.call import Call
    from vmwright.arm.store import Resource, ResourceStore

NAMESPACE = "Microsoft.VirtualMachineImages"
TEMPLATES, TRIGGERS, OUTPUTS = "imageTemplates", "triggers", "runOutputs"
TEMPLATE_TYPE = f"{NAMESPACE}/{TEMPLATES}"
TRIGGER_TYPE = f"{TEMPLATE_TYPE}/{TRIGGERS}"
OUTPUT_TYPE = f"{TEMPLATE_TYPE}/{OUTPUTS}"
TRIGGERS_SINCE = "2022-07-01"

TEMPLATE = f"{GROUP}/providers/{TEMPLATE_TYPE}/{{name}}"

DATE = re.compile(r"\d{4}-\d{2}-\d{2}(-\w+)?")


def check_version(call: Call, *, since: str = FIRST) -> str:
    """Return the api-version of a call.

    :param since: the first that has what is asked for.
    :raises ArmError: there is none, or it is none of the provider's.
    """
    version = call.api_version
    if not version:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
            is_gateways=True,
        )
    if not DATE.fullmatch(version):
        known = ", ".join(reversed(API_VERSIONS))
        raise ArmError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. The supported versions are '{known}'.",
            is_gateways=True,
        )
    if version not in API_VERSIONS or not reaches(version, since):
        raise ArmError(
            404,
            "InvalidResourceType",
            f"The resource type could not be found in the namespace '{NAMESPACE}' for api version "
            f"'{version}'.",
            is_gateways=True,
        )
    return version


def template_id(call: Call) -> ResourceId:
    """Return the id of the template that a call names."""
    return ResourceId(
        call.names["subscription"], call.names["group"], NAMESPACE, (TEMPLATES,), (call.names["name"],)
    )


def check_name(name: str) -> None:
    """Check the name of a template or a trigger.

    :raises ArmError: it is none.
    """
    if not is_name(name):
        raise ArmError(
            400,
            "InvalidResourceName",
            f"'{name}' is not a name: it has 1 to 64 letters, digits and the characters - _ .",
        )


def get_template(store: ResourceStore, wanted: ResourceId) -> Resource:
    """Return a template.

    :raises ArmError: there is none, or no such group.
    """
    found = store.find(wanted)
    if found is None:
        find_group(store, wanted.subscription, wanted.group)
        raise missing(wanted)
    return found


def missing(wanted: ResourceId) -> ArmError:
    """Return the error of a resource of this provider that is not there."""
    name = "/".join(part for pair in zip(wanted.types, wanted.names, strict=True) for part in pair)
    kind, _, rest = name.partition("/")
    return not_found(f"{NAMESPACE}/{kind}", rest, wanted.group)


def shown_id(wanted: ResourceId) -> str:
    """Return an id as the provider shows its own: with ``resourcegroups`` in lower case (reference §1.1)."""
    return str(wanted).replace("/resourceGroups/", "/resourcegroups/", 1)
