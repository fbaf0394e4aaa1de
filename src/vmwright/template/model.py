"""What a template says, once it is read: one canonical model behind every api-version.

Names are Azure's. Defaults that the service fills in are filled in here (buildTimeoutInMinutes 0 means
240, an absent name of a customizer becomes its kind), so that no room below has to know them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_TIMEOUT_MINUTES = 240
NO_TAGS: Mapping[str, str] = MappingProxyType({})


class OsType(StrEnum):
    """The two families of guests, as Azure spells them."""

    LINUX = "Linux"
    WINDOWS = "Windows"


class Generation(StrEnum):
    """Hyper-V generations: V1 boots by BIOS, V2 by UEFI."""

    V1 = "V1"
    V2 = "V2"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInfo:
    """The marketplace plan of a source."""

    plan_name: str
    plan_product: str
    plan_publisher: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformImage:
    """A marketplace image: publisher, offer, sku and version (``latest`` or a number)."""

    publisher: str
    offer: str
    sku: str
    version: str
    plan: PlanInfo | None = None

    @property
    def urn(self) -> str:
        """The name that ``az vm image list`` prints: publisher:offer:sku:version."""
        return f"{self.publisher}:{self.offer}:{self.sku}:{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedImageSource:
    """A managed image that an earlier build distributed."""

    image_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedImageVersion:
    """A version of a gallery's image definition (``versions/latest`` from 2022-07-01 on)."""

    image_version_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IsoSource:
    """A RHEL binary DVD with its SHA-256, until March 2020."""

    source_uri: str
    sha256_checksum: str


Source = PlatformImage | ManagedImageSource | SharedImageVersion | IsoSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A shell script for Linux: a URI, or lines that become one ``/bin/sh -e`` script."""

    kind = "Shell"
    name: str
    path: str
    script_uri: str | None = None
    inline: tuple[str, ...] = ()
    sha256_checksum: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerShell:
    """A PowerShell script, plain, elevated or as Local System."""

    kind = "PowerShell"
    name: str
    path: str
    script_uri: str | None = None
    inline: tuple[str, ...] = ()
    sha256_checksum: str | None = None
    run_elevated: bool = False
    run_as_system: bool = False
    valid_exit_codes: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file, downloaded and put at ``destination`` (Linux: below /tmp)."""

    kind = "File"
    name: str
    path: str
    source_uri: str
    destination: str
    sha256_checksum: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsRestart:
    """A restart of a Windows guest; times are Go durations (``5m``, ``2h``)."""

    kind = "WindowsRestart"
    name: str
    path: str
    restart_command: str | None = None
    restart_check_command: str | None = None
    restart_timeout: str = "5m"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsUpdate:
    """Windows updates, with restarts as they need them."""

    kind = "WindowsUpdate"
    name: str
    path: str
    search_criteria: str | None = None
    filters: tuple[str, ...] = ()
    update_limit: int = 1000


Customizer = Shell | PowerShell | File | WindowsRestart | WindowsUpdate


@dataclass(frozen=True, slots=True, kw_only=True)
class Validate:
    """What is done with the finished image before it is distributed; since 2022-02-14 (reference §9)."""

    continue_distribute_on_failure: bool = False
    source_validation_only: bool = False
    in_vm_validations: tuple[Shell | PowerShell | File, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimize:
    """What makes images start faster: ``vm_boot`` since 2022-07-01, ``workload`` since 2025-10-01."""

    vm_boot: bool | None = None
    workload: bool | None = None
    workload_script_uri: str | None = None
    workload_sha256_checksum: str | None = None


class OnError(StrEnum):
    """What becomes of the build VM when a step fails."""

    CLEANUP = "cleanup"
    ABORT = "abort"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorHandling:
    """What becomes of the build VM when a customizer or a validation fails; since 2023-07-01."""

    on_customizer_error: OnError = OnError.CLEANUP
    on_validation_error: OnError = OnError.CLEANUP


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRegion:
    """One region of a gallery version; ``name`` in any spelling (``westus2``, ``West US 2``)."""

    name: str
    replica_count: int = 1
    storage_account_type: str | None = None


class VersioningScheme(StrEnum):
    """How the number of a gallery version is found (reference §11.2)."""

    LATEST = "Latest"
    SOURCE = "Source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Versioning:
    """A scheme; ``major`` (of Latest) keeps to the versions of one major number, None to all."""

    scheme: VersioningScheme
    major: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedImage:
    """Distribute to a managed image, overwriting one of that id."""

    kind = "ManagedImage"
    path: str
    run_output_name: str
    image_id: str
    location: str
    artifact_tags: Mapping[str, str] = field(default_factory=lambda: NO_TAGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedImage:
    """Distribute to a gallery's image definition as a version, replicated to regions.

    :param gallery_image_id: of the definition, or of a version of it (``.../versions/1.2.3``).
    :param target_regions: also what ``replicationRegions`` and ``storageAccountType`` say.
    """

    kind = "SharedImage"
    path: str
    run_output_name: str
    gallery_image_id: str
    target_regions: tuple[TargetRegion, ...] = ()
    exclude_from_latest: bool = False
    versioning: Versioning | None = None
    replication_mode: str | None = None
    artifact_tags: Mapping[str, str] = field(default_factory=lambda: NO_TAGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vhd:
    """Distribute to a fixed VHD; ``uri`` is a blob or container of Azure Storage (since 2022-07-01)."""

    kind = "VHD"
    path: str
    run_output_name: str
    uri: str | None = None
    artifact_tags: Mapping[str, str] = field(default_factory=lambda: NO_TAGS)


Distributor = ManagedImage | SharedImage | Vhd


@dataclass(frozen=True, slots=True, kw_only=True)
class VnetConfig:
    """The build VM's network: a subnet's id, or (2019-05-01-preview) the three names that make one."""

    subnet_id: str | None = None
    name: str | None = None
    subnet_name: str | None = None
    resource_group_name: str | None = None
    proxy_vm_size: str = ""
    container_instance_subnet_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VmProfile:
    """The build VM: its size and OS disk ("" and 0: what the source has and needs), its network."""

    vm_size: str = ""
    os_disk_size_gb: int = 0
    vnet_config: VnetConfig | None = None
    user_assigned_identities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One image template."""

    api_version: str
    location: str
    source: Source
    distribute: tuple[Distributor, ...]
    customize: tuple[Customizer, ...] = ()
    vm_profile: VmProfile = field(default_factory=VmProfile)
    build_timeout_in_minutes: int = 0
    identities: tuple[str, ...] = ()
    validate: Validate | None = None
    optimize: Optimize | None = None
    error_handling: ErrorHandling | None = None
    staging_resource_group: str | None = None
    auto_run: bool | None = None
    managed_resource_tags: Mapping[str, str] = field(default_factory=lambda: NO_TAGS)
    additional_data_disks: tuple[int, ...] = ()
    tags: Mapping[str, str] = field(default_factory=lambda: NO_TAGS)
    name: str | None = None
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def in_vm_validations(self) -> tuple[Shell | PowerShell | File, ...]:
        """What runs in a machine from the finished image, before it is distributed."""
        return self.validate.in_vm_validations if self.validate else ()

    @property
    def timeout_seconds(self) -> float:
        """The time for the whole build; 0 in the template is the service's default (reference §4)."""
        return (self.build_timeout_in_minutes or DEFAULT_TIMEOUT_MINUTES) * 60.0
