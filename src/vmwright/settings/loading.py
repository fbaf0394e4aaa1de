"""Typed configuration: ``vmwright.toml`` in $VMWRIGHT_HOME or in the working folder, or VMWRIGHT_ variables.

A key in the working folder's file wins over the same key in $VMWRIGHT_HOME's; a variable wins over both
(``VMWRIGHT_MACHINE=vm``; nested keys with two underscores: ``VMWRIGHT_DEBIAN__DISK_SIZE_GIB=8``).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from vmwright.errors import TemplateError
from vmwright.regions import api_name
from vmwright.settings.sections import (
    CacheSettings,
    DatabaseSettings,
    DebianSettings,
    IdentitySettings,
    KeepSettings,
    MachineChoice,
    ProvisioningChoice,
    ServiceSettings,
    SnapshotSettings,
    StoreSettings,
    WorkerSettings,
)

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

FILE_NAME = "vmwright.toml"
PREFIX = "VMWRIGHT_"
ANY_IDENTITY = "*"
DEFAULT_NETWORK = "default"
# the name of an interface may have 15 characters
NETWORK = re.compile(r"user|restricted|bridge:[^\s/:]{1,15}")
SUBNET = re.compile(
    r"[^/]+/[^/]+/[^/]+|/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/virtualNetworks/"
    r"[^/]+/subnets/[^/]+",
    re.IGNORECASE,
)
IDENTITY_TYPE = "/providers/microsoft.managedidentity/userassignedidentities/"
# What a client of a service shows it.
TOKEN_VARIABLE = "VMWRIGHT_TOKEN"  # noqa: S105 - a name
# Those, and what vmwright sets for the programs that it starts, or its tests do.
NO_KEYS = {TOKEN_VARIABLE, "VMWRIGHT_OWNER", "VMWRIGHT_RESOURCE", "VMWRIGHT_TEST_DISK"}


def default_home() -> Path:
    """Return $VMWRIGHT_HOME, or vmwright's folder in the XDG data folder."""
    if home := os.environ.get("VMWRIGHT_HOME"):
        return Path(home).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data).expanduser().absolute() / "vmwright"


class Settings(BaseSettings):
    """What an operator may configure; every key has a default that works on a fresh host."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_ignore_empty=True,
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    home: Path = Field(default_factory=default_home, description="Where all data lives.")
    machine: MachineChoice = Field(default=MachineChoice.AUTO, description="The default of --machine.")
    provisioning: ProvisioningChoice = Field(
        default=ProvisioningChoice.AUTO, description="What provisions the guest of a VM."
    )
    emulated_processor: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._+=,-]+$",
        description="QEMU's -cpu where there is no KVM; default: all that QEMU emulates fast.",
    )
    mirrors: dict[str, str] = Field(
        default_factory=dict, description="URL prefix -> prefix to use instead; file: is allowed."
    )
    sums: bool = Field(
        default=False, description="Put the SHA-256 of whole VHDs and raw disks into SHA256SUMS, too."
    )
    networks: dict[str, str] = Field(
        default_factory=dict,
        description='Subnet, or "default" for builds that name none -> user, restricted or bridge:NAME.',
    )
    stores: dict[str, Path] = Field(
        default_factory=dict,
        description="Region, in any spelling -> folder for its replicas of gallery versions.",
    )
    debian: DebianSettings = Field(default_factory=DebianSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    keep: KeepSettings = Field(default_factory=KeepSettings)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    snapshots: SnapshotSettings = Field(default_factory=SnapshotSettings)
    service: ServiceSettings = Field(default_factory=ServiceSettings)
    identities: dict[str, IdentitySettings] = Field(
        default_factory=dict, description='Resource id of an identity, or "*" for any -> what it may do here.'
    )

    @field_validator("identities")
    @classmethod
    def _of_resources(cls, identities: dict[str, IdentitySettings]) -> dict[str, IdentitySettings]:
        for name in identities:
            if name != ANY_IDENTITY and IDENTITY_TYPE not in name.casefold():
                raise ValueError(f'{name} is not the resource id of a user-assigned identity, nor "*"')
        return identities

    @field_validator("networks")
    @classmethod
    def _of_subnets(cls, networks: dict[str, str]) -> dict[str, str]:
        for name, network in networks.items():
            if name != DEFAULT_NETWORK and not SUBNET.fullmatch(name):
                raise ValueError(
                    f"{name} is neither the resource id of a subnet, nor RESOURCEGROUP/VNET/SUBNET, "
                    f'nor "{DEFAULT_NETWORK}"'
                )
            if not NETWORK.fullmatch(network):
                raise ValueError(f'{name}: {network} is not "user", "restricted" or "bridge:NAME"')
        return networks

    @field_validator("stores")
    @classmethod
    def _by_region(cls, stores: dict[str, Path]) -> dict[str, Path]:
        """Name regions as the API does; folders must mean the same from every working folder."""
        named = {api_name(region): folder.expanduser() for region, folder in stores.items()}
        if len(named) < len(stores):
            raise ValueError(f"a region is here twice: {', '.join(stores)}")
        for region, folder in named.items():
            if not folder.is_absolute():
                raise ValueError(f"{region}: {folder} is not an absolute path")
        return named

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        """Records hold paths below it, which must mean the same from every folder and for the kernel."""
        return home.expanduser().resolve()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not read: secrets belong in the environment
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put explicit values first, then variables, the working folder's file, the home folder's file."""
        files = (Path.cwd() / FILE_NAME, default_home() / FILE_NAME)
        return (
            init_settings,
            env_settings,
            *(TomlConfigSettingsSource(settings_cls, file) for file in files),
        )


def load(**given: Any) -> Settings:  # noqa: ANN401 - the fields of Settings
    """Read the configuration.

    :raises TemplateError: a key is unknown or has a value of the wrong kind (the message names it).
    """
    try:
        _refuse_unknown_variables()
        return Settings(**given)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {_fault(item)}" for item in error.errors())
    except (TOMLDecodeError, UnicodeDecodeError) as error:
        wrong = f"{FILE_NAME} is not TOML: {error}"
    except (SettingsError, OSError) as error:
        wrong = str(error)
    raise TemplateError(
        f"The configuration cannot be used: {wrong}",
        hint=f"see docs/configuration.md; it is read from {FILE_NAME} and VMWRIGHT_ variables",
    )


def _fault(item: ErrorDetails) -> str:
    """Return what is wrong with a key, without the words that are pydantic's own."""
    if item["type"] == "extra_forbidden":
        return "there is no such key"
    return item["msg"].removeprefix("Value error, ")


def _refuse_unknown_variables() -> None:
    """Refuse VMWRIGHT_ variables that stand for no key; those that vmwright sets itself are none."""
    keys = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    given = [name for name in os.environ if name.startswith(PREFIX) and name not in NO_KEYS]
    if unknown := sorted(name for name in given if name.partition("__")[0] not in keys):
        raise SettingsError(f"{', '.join(unknown)}: there is no such key")
