"""The rules over a whole template that the contract's shapes cannot say (reference §5.3, §4, §11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.nearest import nearest
from vmwright.regions import api_name
from vmwright.template import formats
from vmwright.template.catalogue import Rule
from vmwright.template.checking_customizers import check_steps
from vmwright.template.checking_distribute import check_distribute
from vmwright.template.checking_network import check_network
from vmwright.template.contract import reaches
from vmwright.template.family import is_for_windows
from vmwright.template.problems import Severity
from vmwright.template.shapes import regions_of
from vmwright.template.wording import azure_missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.template.checked import Checked
    from vmwright.template.problems import Problem

RESOURCE_TYPE = "Microsoft.VirtualMachineImages/imageTemplates"
SHORTEST_TIMEOUT = 6
WINDOWS_TIMEOUT = 60
LARGEST_DISK = 32767


def check(template: Checked, version: str) -> Iterator[Problem]:
    """Give what the rules find in a template that was read under ``version``."""
    yield from _envelope(template, version)
    yield from _identity(template, version)
    properties = template.part("properties")
    if properties is None:
        return
    yield from _timeout(properties)
    if source := properties.part("source"):
        yield from _source(source, version)
    yield from check_steps(properties, version)
    yield from check_distribute(properties, version)
    if vnet_config := (properties.part("vmProfile") or properties).part("vnetConfig"):
        yield from check_network(vnet_config)
    for disk in properties.parts("additionalDataDisks"):
        if not 0 < (disk.number("sizeGB") or 0) <= LARGEST_DISK:
            message = f"A data disk has from 1 to {LARGEST_DISK} GB."
            yield Rule.DISK_SIZE.at(disk.at("sizeGB"), message, hint='such as "sizeGB": 64')


def _envelope(template: Checked, version: str) -> Iterator[Problem]:
    kind = template.text("type")
    if kind.casefold() == RESOURCE_TYPE.split("/", maxsplit=1)[0].casefold():
        message = f"`type` is `{kind}`; the resource's type is `{RESOURCE_TYPE}`."
        yield Rule.RESOURCE_TYPE_SHORT.at(template.at("type"), message, hint=f'"type": "{RESOURCE_TYPE}"')
    elif kind and kind.casefold() != RESOURCE_TYPE.casefold() and template.known("type"):
        message = f"`type` is `{kind}`: this is no image template."
        yield Rule.RESOURCE_TYPE_OTHER.at(template.at("type"), message, hint=f'"type": "{RESOURCE_TYPE}"')
    if template.has("dependsOn") and template.values["dependsOn"] != []:
        message = "`dependsOn` has no effect here: one template is built at a time."
        yield Rule.RESOURCE_DEPENDS_ON.at(template.at("dependsOn"), message)
    regions = regions_of(version)
    location = api_name(template.text("location"))
    if template.known("location") and location not in regions:
        message = f"`{template.text('location')}` is no region of Image Builder under {version}."
        meant = nearest(location, regions)
        hint = (f"did you mean {meant}? " if meant else "") + f"one of {', '.join(regions)}"
        yield Rule.REGION_UNKNOWN.at(template.at("location"), message, hint=hint)


def _identity(template: Checked, version: str) -> Iterator[Problem]:
    if not reaches(version, "2019-05-01-preview"):
        return  # There were no identities.
    identity = template.part("identity")
    ids = identity.texts("userAssignedIdentities") if identity else ()
    if identity is not None and len(ids) > 1:
        message = f"There are {len(ids)} identities; Azure takes one."
        yield Rule.IDENTITY_SEVERAL.at(identity.at("userAssignedIdentities"), message)
    if "identity" in template.places and identity is None:
        return  # It is no object, which has its own problem.
    if identity is not None and ids and "type" not in identity.places:
        message = "The identity has no `type`."
        yield Rule.FIELD_MISSING.at(identity.place, message, hint='add "type": "UserAssigned"')
    # None is what a template has whose identity was taken away; the service keeps it.
    has_none = identity is not None and identity.text("type") == "None"
    if not ids or has_none:
        is_wrong = reaches(version, "2021-10-01") and not has_none
        severity = Severity.ERROR if is_wrong else Severity.WARNING
        yield Rule.IDENTITY_MISSING.at(
            template.at("identity"),
            "The template has no user-assigned identity: a local build needs none, Azure requires one.",
            hint='"identity": { "type": "UserAssigned", "userAssignedIdentities": { "<imgBuilderId>": {} } }',
            azure_message=azure_missing("", "identity"),
            severity=severity,
        )


def _timeout(properties: Checked) -> Iterator[Problem]:
    minutes = properties.number("buildTimeoutInMinutes")
    if not minutes:
        return
    place = properties.at("buildTimeoutInMinutes")
    if minutes < SHORTEST_TIMEOUT:
        message = f"`buildTimeoutInMinutes` is {minutes}; Azure's builds fail below {SHORTEST_TIMEOUT}."
        hint = "0 (which means 240), or 6 to 960"
        yield Rule.TIMEOUT_TOO_SHORT.at(place, message, hint=hint)
        return
    if minutes < WINDOWS_TIMEOUT and is_for_windows(properties):
        message = f"`buildTimeoutInMinutes` is {minutes}: short for a Windows guest."
        yield Rule.TIMEOUT_WINDOWS.at(place, message, hint="60 or more")


def _source(source: Checked, version: str) -> Iterator[Problem]:
    match source.shape.name:
        case "PlatformImage":
            if not reaches(version, "2020-02-14") and source.text("version").casefold() == "latest":
                message = f"The first edition of {version} has no version `latest`; June 2020 has."
                yield Rule.SOURCE_LATEST.at(
                    source.at("version"), message, hint="a version's number, or 2020-02-14"
                )
        case "SharedImageVersion":
            if formats.is_direct_shared(source.text("imageVersionId")) and not reaches(version, "2022-07-01"):
                message = f"Galleries that are shared directly came with 2022-07-01; {version} has none."
                hint = "the id of a version in a gallery of a resource group"
                yield Rule.SOURCE_DIRECT.at(source.at("imageVersionId"), message, hint=hint)
            latest = source.text("imageVersionId").casefold().endswith("/versions/latest")
            if latest and not reaches(version, "2022-07-01"):
                message = f"`versions/latest` came with 2022-07-01; {version} has not got it."
                yield Rule.SOURCE_LATEST_IMAGE.at(
                    source.at("imageVersionId"), message, hint="a version's number"
                )
        case "ISO":
            rule = Rule.ISO_REMOVED if reaches(version, "2020-02-14") else Rule.ISO_DEPRECATED
            message = "Azure takes no ISO sources since 31 March 2020 and builds none since 30 April 2020."
            hint = "a PlatformImage source; for RHEL the offer rhel-byos"
            yield rule.at(source.at("type"), message, hint=hint)
