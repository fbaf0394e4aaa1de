"""What stands below ``properties`` besides sources, customizers and distributors."""

from __future__ import annotations

from vmwright.template.contract import INT32_MAX, Field, Format, Kind, Shape
from vmwright.template.shapes.fields import FEB_2021, JUNE_2020, STATES

OPTIMIZE = (
    Shape(
        name="Optimize",
        about="What makes images start faster.",
        since="2022-07-01",
        fields=(
            Field(
                name="vmBoot",
                about="A faster first boot.",
                kind=Kind.OBJECT,
                shapes=("VmBoot",),
                since="2022-07-01",
                instead="the image is left as the customizers leave it",
            ),
            Field(
                name="workload",
                about="A faster start of a workload.",
                kind=Kind.OBJECT,
                shapes=("Workload",),
                since="2025-10-01",
                instead="its script is not run, and the image is left as the customizers leave it",
            ),
        ),
    ),
    Shape(
        name="VmBoot",
        about="Whether the first boot is made faster.",
        since="2022-07-01",
        fields=(Field(name="state", about="Enabled or Disabled.", allowed=STATES, since="2022-07-01"),),
    ),
    Shape(
        name="Workload",
        about="Whether the start of a workload is made faster, and the script that runs it.",
        since="2025-10-01",
        fields=(
            Field(name="state", about="Enabled or Disabled.", allowed=STATES, since="2025-10-01"),
            Field(
                name="scriptUri",
                about="The address of the script that starts the workload.",
                format=Format.URI,
                since="2025-10-01",
            ),
            Field(
                name="sha256Checksum",
                about="The SHA-256 of the script; not checked if absent.",
                format=Format.SHA256,
                since="2025-10-01",
            ),
        ),
    ),
)

VALIDATE = Shape(
    name="Validate",
    about="Tests of the image, in a VM of its own that starts from it.",
    since="2022-02-14",
    fields=(
        Field(
            name="continueDistributeOnFailure",
            about="Whether an image that failed its tests is distributed all the same; false by default.",
            kind=Kind.BOOLEAN,
            since="2022-02-14",
        ),
        Field(
            name="sourceValidationOnly",
            about="Whether the source itself is tested, and nothing built; false by default.",
            kind=Kind.BOOLEAN,
            since="2022-02-14",
        ),
        Field(
            name="inVMValidations",
            about="The tests, in this order.",
            kind=Kind.CHOICES,
            shapes=("ShellValidator", "PowerShellValidator", "FileValidator"),
            since="2022-02-14",
        ),
    ),
)

ON_ERROR = ("cleanup", "abort")
ERROR_HANDLING = Shape(
    name="ErrorHandling",
    about="What becomes of the build VM after a failure: cleanup removes it, abort keeps it.",
    since="2023-07-01",
    fields=(
        Field(
            name="onCustomizerError",
            about="After a failed customizer: cleanup, the default, or abort.",
            allowed=ON_ERROR,
            since="2023-07-01",
            built=False,
        ),
        Field(
            name="onValidationError",
            about="After a failed validator: cleanup, the default, or abort.",
            allowed=ON_ERROR,
            since="2023-07-01",
            built=False,
        ),
    ),
)

AUTO_RUN = Shape(
    name="AutoRun",
    about="Whether Azure builds by itself.",
    since="2024-02-01",
    fields=(
        Field(name="state", about="Enabled or Disabled, the default.", allowed=STATES, since="2024-02-01"),
    ),
)

DATA_DISK = Shape(
    name="DataDisk",
    about="One data disk of the image.",
    since="2025-10-01",
    fields=(
        Field(
            name="sizeGB",
            about="The size of the disk in GB (2^30 bytes).",
            kind=Kind.INTEGER,
            minimum=0,
            maximum=INT32_MAX,
            since="2025-10-01",
        ),
    ),
)

VM_PROFILE = Shape(
    name="VmProfile",
    about="The build VM.",
    since="2019-05-01-preview",
    fields=(
        Field(
            name="vmSize",
            about="The size of the build VM, such as Standard_D1_v2; Azure's choice if absent or empty.",
            documented=JUNE_2020,
        ),
        Field(
            name="osDiskSizeGB",
            about="The OS disk in GB (2^30 bytes), not below the source's; 0, the default: as the source.",
            kind=Kind.INTEGER,
            minimum=0,
            maximum=INT32_MAX,
            documented=JUNE_2020,
        ),
        Field(
            name="userAssignedIdentities",
            about="Ids of identities that the build VM gets.",
            kind=Kind.TEXTS,
            format=Format.IDENTITY_ID,
            since="2021-10-01",
        ),
        Field(
            name="vnetConfig",
            about="The network of the build VM.",
            kind=Kind.OBJECT,
            shapes=("VnetConfig",),
            documented=JUNE_2020,
        ),
    ),
)

VNET_CONFIG = Shape(
    name="VnetConfig",
    about="An existing network for the build VM.",
    since="2019-05-01-preview",
    fields=(
        Field(
            name="subnetId",
            about="The id of the subnet.",
            format=Format.SUBNET_ID,
            since="2020-02-14",
            documented=FEB_2021,
        ),
        Field(
            name="name", about="The name of the virtual network.", until="2020-02-14", documented=JUNE_2020
        ),
        Field(name="subnetName", about="The name of the subnet.", until="2020-02-14", documented=JUNE_2020),
        Field(
            name="resourceGroupName",
            about="The resource group of the virtual network.",
            until="2020-02-14",
            documented=JUNE_2020,
        ),
        Field(
            name="containerInstanceSubnetId",
            about="The id of a second subnet of the same network, for Azure's build container.",
            format=Format.SUBNET_ID,
            since="2024-02-01",
            instead="the build runs on this host, not in a container of Azure",
        ),
        Field(
            name="proxyVmSize",
            about="The size of the VM through which Azure reaches the build VM; Standard_A1_v2 if absent.",
            since="2021-10-01",
            instead="no proxy stands before the build VM",
        ),
    ),
)

SETTINGS = (
    *OPTIMIZE,
    VALIDATE,
    ERROR_HANDLING,
    AUTO_RUN,
    DATA_DISK,
    VM_PROFILE,
    VNET_CONFIG,
)
