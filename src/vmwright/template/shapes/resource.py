"""The template itself, its identity and its properties."""

from __future__ import annotations

from vmwright.template.contract import Field, Format, Kind, Shape
from vmwright.template.shapes.fields import JUNE_2020, MAY_2019, filled_in

ENVELOPE = Shape(
    name="ImageTemplate",
    about="An image template: from which source an image is made, how, and where it goes.",
    fields=(
        Field(
            name="type",
            about="The type of the resource, Microsoft.VirtualMachineImages/imageTemplates.",
            documented=MAY_2019,
        ),
        Field(
            name="apiVersion",
            about="The api-version of this file; Azure's REST API takes it in the address.",
            documented=MAY_2019,
        ),
        Field(
            name="name",
            about="The template's name, 1 to 64 letters, digits, `-`, `_`, `.`.",
            format=Format.NAME,
        ),
        Field(
            name="location",
            about="The region where Azure builds, in any spelling.",
            format=Format.REGION,
            required=True,
            documented=MAY_2019,
        ),
        Field(name="tags", about="Tags of the template.", kind=Kind.TAGS, documented=MAY_2019),
        Field(
            name="identity",
            about="The identity with which Azure reads and writes; a local build needs none.",
            kind=Kind.OBJECT,
            shapes=("Identity",),
            since="2019-05-01-preview",
            documented=MAY_2019,
        ),
        Field(
            name="dependsOn",
            about="Resources that an ARM deployment makes first.",
            kind=Kind.OPAQUE,
            documented=MAY_2019,
        ),
        Field(
            name="properties",
            about="What is built.",
            kind=Kind.OBJECT,
            shapes=("Properties",),
            required=True,
            documented=MAY_2019,
        ),
        filled_in("id", "The resource's id."),
        filled_in("systemData", "Who made and changed the resource, and when.", "2021-10-01"),
    ),
)

IDENTITY = Shape(
    name="Identity",
    about="The identity of the template.",
    fields=(
        # Required with identities; the basic format of every edition shows `"identity": {}`.
        Field(
            name="type",
            about="UserAssigned, or None to take it away.",
            allowed=("UserAssigned", "None"),
            documented=MAY_2019,
        ),
        Field(
            name="userAssignedIdentities",
            about="An object whose key is the id of the identity; Azure takes one.",
            kind=Kind.IDENTITIES,
            documented=MAY_2019,
        ),
        filled_in("principalId", "The identity's principal."),
        filled_in("tenantId", "The identity's tenant."),
    ),
)

PROPERTIES = Shape(
    name="Properties",
    about="What is built: the source, the steps, the targets.",
    fields=(
        Field(
            name="source",
            about="The image from which the build starts.",
            kind=Kind.CHOICE,
            shapes=("PlatformImage", "ManagedImageSource", "SharedImageVersion", "ISO"),
            required=True,
            documented=MAY_2019,
        ),
        Field(
            name="customize",
            about="The steps that change the image, in this order; the first that fails ends the build.",
            kind=Kind.CHOICES,
            shapes=("Shell", "PowerShell", "File", "WindowsRestart", "WindowsUpdate"),
            documented=MAY_2019,
        ),
        Field(
            name="optimize",
            about="What makes the finished image start faster.",
            kind=Kind.OBJECT,
            shapes=("Optimize",),
            since="2022-07-01",
        ),
        Field(
            name="validate",
            about="Tests of the finished image, before it goes anywhere.",
            kind=Kind.OBJECT,
            shapes=("Validate",),
            since="2022-02-14",
        ),
        Field(
            name="distribute",
            about="Where the image goes, one target or more.",
            kind=Kind.CHOICES,
            shapes=("ManagedImage", "SharedImage", "VHD"),
            required=True,
            documented=MAY_2019,
        ),
        Field(
            name="errorHandling",
            about="What becomes of the build VM after a failure.",
            kind=Kind.OBJECT,
            shapes=("ErrorHandling",),
            since="2023-07-01",
        ),
        Field(
            name="buildTimeoutInMinutes",
            about="Minutes for the whole build, 6 to 960; 0, the default, means 240.",
            kind=Kind.INTEGER,
            minimum=0,
            maximum=960,
            since="2019-05-01-preview",
            documented=MAY_2019,
        ),
        Field(
            name="vmProfile",
            about="The size, the disk and the network of the build VM.",
            kind=Kind.OBJECT,
            shapes=("VmProfile",),
            since="2019-05-01-preview",
            documented=JUNE_2020,
        ),
        # An empty section that the basic format of the May 2019 edition shows and explains nowhere.
        Field(
            name="build",
            about="An empty section of the first editions, without meaning.",
            kind=Kind.OPAQUE,
            until="2020-02-14",
            instead="no edition says what it is for",
            documented=MAY_2019,
        ),
        Field(
            name="stagingResourceGroup",
            about="The id of the resource group where Azure builds; a new one if absent.",
            format=Format.RESOURCE_GROUP_ID,
            since="2022-02-14",
            instead="a build keeps its files in vmwright's own folder",
        ),
        Field(
            name="autoRun",
            about="Whether Azure builds as soon as the template is made.",
            kind=Kind.OBJECT,
            shapes=("AutoRun",),
            since="2024-02-01",
            instead="a build starts when it is asked for",
        ),
        Field(
            name="managedResourceTags",
            about="Tags of what Azure makes for the build, in the staging resource group.",
            kind=Kind.TAGS,
            since="2024-02-01",
            instead="a build makes no resources in Azure that could have tags",
        ),
        Field(
            name="additionalDataDisks",
            about="Data disks that the image gets besides its OS disk.",
            kind=Kind.OBJECTS,
            shapes=("DataDisk",),
            since="2025-10-01",
            built=False,
        ),
        filled_in("provisioningState", "How making the template went."),
        filled_in("provisioningError", "Why making the template failed."),
        filled_in("lastRunStatus", "How the last build went."),
        filled_in("exactStagingResourceGroup", "The resource group where Azure really builds.", "2022-02-14"),
    ),
)
