"""The contracts: every object of a template in every api-version, as data (reference §3 and §4).

2019-05-01-preview (its editions of May 2019 and June 2020) and 2020-02-14 are complete. What later
api-versions add is named, with ``built=False`` and not looked into.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from vmwright.template.contract import INT32_MAX, Field, Format, Kind, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

MAY_2019, JUNE_2020, FEB_2021 = "2019-05", "2020-06", "2021-02"

TYPE = Field(name="type", required=True, documented=MAY_2019)
NAME = Field(name="name", documented=MAY_2019)
CHECKSUM = Field(
    name="sha256Checksum", format=Format.SHA256, since="2019-05-01-preview", documented=JUNE_2020
)
SCRIPT_URI = Field(name="scriptUri", format=Format.URI, spellings=("script",), documented=MAY_2019)
INLINE = Field(name="inline", kind=Kind.TEXTS, documented=MAY_2019)
RUN_OUTPUT = Field(name="runOutputName", format=Format.NAME, required=True, documented=MAY_2019)
ARTIFACT_TAGS = Field(name="artifactTags", kind=Kind.TAGS, spellings=("tags",), documented=MAY_2019)


def later(name: str, since: str) -> Field:
    """Return a field that a later api-version brings and that is not built yet."""
    return Field(name=name, kind=Kind.OPAQUE, since=since, built=False)


def filled_in(name: str) -> Field:
    """Return a field that only the service writes."""
    return Field(name=name, kind=Kind.OPAQUE, read_only=True)


ENVELOPE = Shape(
    name="ImageTemplate",
    fields=(
        Field(name="type", documented=MAY_2019),
        Field(name="apiVersion", documented=MAY_2019),
        Field(name="name", format=Format.NAME),
        Field(name="location", format=Format.REGION, required=True, documented=MAY_2019),
        Field(name="tags", kind=Kind.TAGS, documented=MAY_2019),
        Field(
            name="identity",
            kind=Kind.OBJECT,
            shapes=("Identity",),
            since="2019-05-01-preview",
            documented=MAY_2019,
        ),
        Field(name="dependsOn", kind=Kind.OPAQUE, documented=MAY_2019),
        Field(
            name="properties", kind=Kind.OBJECT, shapes=("Properties",), required=True, documented=MAY_2019
        ),
        filled_in("id"),
        filled_in("systemData"),
    ),
)

IDENTITY = Shape(
    name="Identity",
    fields=(
        # Required with identities; the basic format of every edition shows `"identity": {}`.
        Field(name="type", allowed=("UserAssigned", "None"), documented=MAY_2019),
        Field(name="userAssignedIdentities", kind=Kind.IDENTITIES, documented=MAY_2019),
        filled_in("principalId"),
        filled_in("tenantId"),
    ),
)

PROPERTIES = Shape(
    name="Properties",
    fields=(
        Field(
            name="source",
            kind=Kind.CHOICE,
            shapes=("PlatformImage", "ManagedImageSource", "SharedImageVersion", "ISO"),
            required=True,
            documented=MAY_2019,
        ),
        Field(
            name="customize",
            kind=Kind.CHOICES,
            shapes=("Shell", "PowerShell", "File", "WindowsRestart", "WindowsUpdate"),
            documented=MAY_2019,
        ),
        Field(
            name="distribute",
            kind=Kind.CHOICES,
            shapes=("ManagedImage", "SharedImage", "VHD"),
            required=True,
            documented=MAY_2019,
        ),
        Field(
            name="buildTimeoutInMinutes",
            kind=Kind.INTEGER,
            minimum=0,
            maximum=960,
            since="2019-05-01-preview",
            documented=MAY_2019,
        ),
        Field(
            name="vmProfile",
            kind=Kind.OBJECT,
            shapes=("VmProfile",),
            since="2019-05-01-preview",
            documented=JUNE_2020,
        ),
        # An empty section that the basic format of the May 2019 edition shows and explains nowhere.
        Field(name="build", kind=Kind.OPAQUE, until="2020-02-14", built=False, documented=MAY_2019),
        later("validate", "2022-02-14"),
        later("stagingResourceGroup", "2022-02-14"),
        later("optimize", "2022-07-01"),
        later("errorHandling", "2023-07-01"),
        later("autoRun", "2024-02-01"),
        later("managedResourceTags", "2024-02-01"),
        later("additionalDataDisks", "2025-10-01"),
        filled_in("provisioningState"),
        filled_in("provisioningError"),
        filled_in("lastRunStatus"),
        filled_in("exactStagingResourceGroup"),
    ),
)

VM_PROFILE = Shape(
    name="VmProfile",
    fields=(
        Field(name="vmSize", documented=JUNE_2020),
        Field(name="osDiskSizeGB", kind=Kind.INTEGER, minimum=0, maximum=INT32_MAX, documented=JUNE_2020),
        Field(name="vnetConfig", kind=Kind.OBJECT, shapes=("VnetConfig",), documented=JUNE_2020),
        later("userAssignedIdentities", "2021-10-01"),
    ),
)

VNET_CONFIG = Shape(
    name="VnetConfig",
    fields=(
        Field(
            name="subnetId",
            format=Format.SUBNET_ID,
            since="2020-02-14",
            documented=FEB_2021,
        ),
        Field(name="name", until="2020-02-14", documented=JUNE_2020),
        Field(name="subnetName", until="2020-02-14", documented=JUNE_2020),
        Field(name="resourceGroupName", until="2020-02-14", documented=JUNE_2020),
        later("proxyVmSize", "2021-10-01"),
        later("containerInstanceSubnetId", "2024-02-01"),
    ),
)

PLAN_INFO = Shape(
    name="PlanInfo",
    fields=(
        Field(name="planName", required=True, documented=FEB_2021),
        Field(name="planProduct", required=True, documented=FEB_2021),
        Field(name="planPublisher", required=True, documented=FEB_2021),
    ),
)

SOURCES = (
    Shape(
        name="PlatformImage",
        documented=MAY_2019,
        fields=(
            TYPE,
            Field(name="publisher", required=True, documented=MAY_2019),
            Field(name="offer", required=True, documented=MAY_2019),
            Field(name="sku", required=True, documented=MAY_2019),
            Field(name="version", required=True, documented=MAY_2019),
            Field(
                name="planInfo",
                kind=Kind.OBJECT,
                shapes=("PlanInfo",),
                since="2020-02-14",
                documented=FEB_2021,
            ),
            filled_in("exactVersion"),
        ),
    ),
    Shape(
        name="ManagedImageSource",
        since="2019-02-01-preview",
        documented=MAY_2019,
        fields=(TYPE, Field(name="imageId", format=Format.IMAGE_ID, required=True, documented=MAY_2019)),
    ),
    Shape(
        name="SharedImageVersion",
        since="2019-05-01-preview",
        documented=MAY_2019,
        fields=(
            TYPE,
            Field(
                name="imageVersionId",
                format=Format.IMAGE_VERSION_ID,
                required=True,
                documented=MAY_2019,
            ),
            filled_in("exactVersion"),
        ),
    ),
    Shape(
        name="ISO",
        until="2020-02-14",
        documented=MAY_2019,
        fields=(
            TYPE,
            # The May 2019 edition writes sourceURI, the model of that api-version sourceUri (reference §18).
            Field(name="sourceUri", format=Format.URI, required=True, documented=MAY_2019),
            Field(name="sha256Checksum", format=Format.SHA256, required=True, documented=MAY_2019),
        ),
    ),
)

CUSTOMIZERS = (
    Shape(name="Shell", documented=MAY_2019, fields=(TYPE, NAME, SCRIPT_URI, INLINE, CHECKSUM)),
    Shape(
        name="PowerShell",
        since="2019-02-01-preview",
        documented=MAY_2019,
        fields=(
            TYPE,
            NAME,
            SCRIPT_URI,
            INLINE,
            CHECKSUM,
            Field(name="runElevated", kind=Kind.BOOLEAN, since="2019-05-01-preview", documented=JUNE_2020),
            # In the contract since 2021-10-01; the service already answers it for 2020-02-14 (reference §3).
            Field(name="runAsSystem", kind=Kind.BOOLEAN, since="2020-02-14"),
            Field(
                name="validExitCodes",
                kind=Kind.INTEGERS,
                spellings=("valid_exit_codes",),
                since="2019-02-01-preview",
                documented=JUNE_2020,
            ),
        ),
    ),
    Shape(
        name="File",
        since="2019-05-01-preview",
        documented=MAY_2019,
        fields=(
            TYPE,
            NAME,
            Field(name="sourceUri", format=Format.URI, required=True, documented=MAY_2019),
            Field(name="destination", required=True, documented=MAY_2019),
            CHECKSUM,
        ),
    ),
    Shape(
        name="WindowsRestart",
        since="2019-02-01-preview",
        documented=MAY_2019,
        fields=(
            TYPE,
            NAME,
            Field(name="restartCommand", documented=MAY_2019),
            Field(name="restartCheckCommand", documented=MAY_2019),
            Field(name="restartTimeout", format=Format.DURATION, documented=MAY_2019),
        ),
    ),
    Shape(
        name="WindowsUpdate",
        since="2019-05-01-preview",
        documented=JUNE_2020,
        fields=(
            TYPE,
            NAME,
            Field(name="searchCriteria", documented=JUNE_2020),
            Field(name="filters", kind=Kind.TEXTS, documented=JUNE_2020),
            Field(name="updateLimit", kind=Kind.INTEGER, minimum=0, maximum=INT32_MAX, documented=JUNE_2020),
        ),
    ),
)

DISTRIBUTORS = (
    Shape(
        name="ManagedImage",
        documented=MAY_2019,
        fields=(
            TYPE,
            RUN_OUTPUT,
            Field(name="imageId", format=Format.IMAGE_ID, required=True, documented=MAY_2019),
            Field(name="location", required=True, documented=MAY_2019),
            ARTIFACT_TAGS,
        ),
    ),
    Shape(
        name="SharedImage",
        documented=MAY_2019,
        fields=(
            TYPE,
            RUN_OUTPUT,
            Field(name="galleryImageId", format=Format.DEFINITION_ID, required=True, documented=MAY_2019),
            Field(
                name="replicationRegions",
                kind=Kind.TEXTS,
                required=True,
                required_until="2022-07-01",
                documented=MAY_2019,
            ),
            Field(name="excludeFromLatest", kind=Kind.BOOLEAN, since="2020-02-14", documented=FEB_2021),
            Field(
                name="storageAccountType",
                allowed=("Standard_LRS", "Standard_ZRS", "Premium_LRS"),
                since="2020-02-14",
                documented=FEB_2021,
            ),
            ARTIFACT_TAGS,
            later("targetRegions", "2022-07-01"),
            later("versioning", "2022-07-01"),
            later("replicationMode", "2025-10-01"),
        ),
    ),
    Shape(
        name="VHD",
        since="2019-02-01-preview",
        documented=MAY_2019,
        fields=(TYPE, RUN_OUTPUT, ARTIFACT_TAGS, later("uri", "2022-07-01")),
    ),
)

SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        shape.name: shape
        for shape in (
            ENVELOPE,
            IDENTITY,
            PROPERTIES,
            VM_PROFILE,
            VNET_CONFIG,
            PLAN_INFO,
            *SOURCES,
            *CUSTOMIZERS,
            *DISTRIBUTORS,
        )
    }
)
# A source and a distributor have one name for two objects.
TYPE_NAMES: Mapping[str, str] = MappingProxyType({"ManagedImageSource": "ManagedImage"})


def type_name(shape: Shape) -> str:
    """Return what ``type`` says for a shape."""
    return TYPE_NAMES.get(shape.name, shape.name)


REGIONS_2019 = ("eastus", "eastus2", "westcentralus", "westus", "westus2")
REGIONS_2020 = (*REGIONS_2019, "northeurope", "westeurope")
REGIONS_LATER = (
    *REGIONS_2020,
    *(
        "westus3",
        "southcentralus",
        "southeastasia",
        "australiasoutheast",
        "australiaeast",
        "uksouth",
        "ukwest",
    ),
    *("brazilsouth", "canadacentral", "centralindia", "centralus", "francecentral", "germanywestcentral"),
    *(
        "japaneast",
        "northcentralus",
        "norwayeast",
        "switzerlandnorth",
        "jioindiawest",
        "uaenorth",
        "eastasia",
    ),
    *("koreacentral", "southafricanorth", "qatarcentral", "usgovarizona", "usgovvirginia", "chinanorth3"),
    *("swedencentral", "polandcentral", "italynorth", "israelcentral", "newzealandnorth", "taiwannorthwest"),
)
