"""Typed configuration: ``vmwright.toml`` in $VMWRIGHT_HOME or in the working folder, or VMWRIGHT_ variables.

A key in the working folder's file wins over the same key in $VMWRIGHT_HOME's; a variable wins over both
(``VMWRIGHT_MACHINE=vm``; nested keys with two underscores: ``VMWRIGHT_DEBIAN__DISK_SIZE_GIB=8``).
"""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import TYPE_CHECKING, Annotated, Any, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from vmwright.errors import TemplateError
from vmwright.regions import api_name

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
LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(?P<port>\d{1,5})")
HIGHEST_PORT = 65535
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


class MachineChoice(StrEnum):
    """What runs a build: ``auto`` takes the fastest that this host can do."""

    AUTO = "auto"
    VM = "vm"
    CONTAINER = "container"


class ProvisioningChoice(StrEnum):
    """From what a VM's guest is provisioned: ``auto`` goes by what is on its disk."""

    AUTO = "auto"
    AZURE = "azure"
    NOCLOUD = "nocloud"


class DebianSettings(BaseModel):
    """How the host bootstraps Debian source disks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mirror: str | None = Field(
        default=None, description="Archive to use; default: the host's own, or Debian's."
    )
    security_mirror: str | None = Field(default=None, description="The same for security updates.")
    disk_size_gib: int = Field(default=4, ge=2, le=1024, description="Size of the disk in GiB.")


class SecretReference(BaseModel):
    """Where a secret is found that is not written into the configuration: a variable or a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: str | None = Field(default=None, min_length=1, description="Name of an environment variable.")
    file: Path | None = Field(default=None, description="A file that has nothing else in it.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("give either env or file")
        return self


class AzureIdentity(StrEnum):
    """Who vmwright is in Microsoft Entra ID, by the names of azure-identity's credentials."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    MANAGED = "managed"


class StorageCredential(BaseModel):
    """What opens a storage account: one of ``sas``, ``account_key`` and ``azure_identity``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sas: SecretStr | SecretReference | None = Field(
        default=None, description="A shared access signature that may read the blobs."
    )
    account_key: SecretStr | SecretReference | None = Field(
        default=None, description="One of the account's two keys, in base64."
    )
    azure_identity: AzureIdentity | None = Field(
        default=None, description="Where azure-identity takes tokens from."
    )
    client_id: str | None = Field(default=None, description="Which managed identity of this host.")
    endpoint: str | None = Field(
        default=None,
        pattern="^https?://[^/?#@]+(/[^?#]*)?$",
        description="URL of the account where it is none of Azure's own.",
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in (self.sas, self.account_key, self.azure_identity)) != 1:
            raise ValueError("give one of sas, account_key and azure_identity")
        if self.client_id is not None and self.azure_identity is not AzureIdentity.MANAGED:
            raise ValueError('client_id goes with azure_identity = "managed" only')
        return self


class IdentitySettings(BaseModel):
    """What a template's user-assigned identity may do from this host."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    storage: dict[str, StorageCredential] = Field(
        default_factory=dict, description="Name of a storage account -> what opens it."
    )
    token_command: tuple[str, ...] = Field(
        default=(),
        description="Program and arguments that print a token for the guest; {resource} is what it is for.",
    )
    client_id: str = Field(default="", description="The identity's client id, as a guest may ask by it.")


class DatabaseSettings(BaseModel):
    """Where the records are: a SQLite file in the home, or a PostgreSQL that several hosts share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: SecretStr | None = Field(
        default=None,
        description="postgresql://USER@HOST:PORT/NAME; libpq's own variables and ~/.pgpass count, too.",
    )
    password: SecretStr | SecretReference | None = Field(
        default=None, description="The password, where the URL should not have it."
    )


class StoreSettings(BaseModel):
    """The object storage that hosts share: sources, layers and images go through it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = Field(
        default=None,
        # no user or password: it is shown
        pattern="^((az|s3|gs)://[^/?#@]+(/[^?#@]*)?|file:///[^?#]*)$",
        description="az://CONTAINER/PREFIX, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or file:///FOLDER.",
    )
    options: dict[str, SecretStr | SecretReference] = Field(
        default_factory=dict,
        description="Keys of obstore's stores, such as account_name, access_key_id, endpoint.",
    )
    cache_gib: float = Field(
        default=100.0, gt=0, description="GiB of local copies of shared artifacts that are kept."
    )


class OnStop(StrEnum):
    """What a worker that is told to end does with its builds."""

    FINISH = "finish"
    HAND_OVER = "hand-over"


class WorkerSettings(BaseModel):
    """What a worker of this host takes on, and how it ends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus: int | None = Field(default=None, ge=1, description="Processors for builds; default: all.")
    memory_mib: int | None = Field(default=None, ge=256, description="Memory for builds; default: 3/4.")
    containers: bool = Field(
        default=False,
        description="Whether builds from the queue may run in containers, which share this host's kernel.",
    )
    on_stop: OnStop = Field(
        default=OnStop.FINISH, description="On SIGTERM: finish builds, or hand them over."
    )


class KeepSettings(BaseModel):
    """For how long the layers of builds that did not succeed are kept for ``vmwright resume``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: float = Field(default=3.0, ge=0, description="Days after a build's end; 0: not at all.")
    gib: float = Field(default=50.0, ge=0, description="GiB of such layers; the oldest go first.")


class CacheSettings(BaseModel):
    """The layers of builds that later builds take instead of running the same steps again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_age_hours: float = Field(
        default=24.0, ge=0, description="Hours after which a step that used the network is run again."
    )
    max_size_gib: float = Field(
        default=20.0, ge=0, description="GiB on this host; what was taken longest ago goes. 0: no cache."
    )
    service: bool = Field(
        default=False, description="Whether builds of the service's templates use the cache, too."
    )


class SnapshotSettings(BaseModel):
    """The memory of virtual machines that have booted, from which others go on instead of booting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=True, description="Whether memory snapshots are made and used.")
    max_size_gib: float = Field(
        default=10.0, ge=0, description="GiB on this host; what was used longest ago goes."
    )


class OidcSettings(BaseModel):
    """An OpenID Connect issuer whose tokens the service takes, instead of giving out its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(
        pattern="^https://[^/?#@]+(/[^?#]*)?$", description="Its URL, to the letter as in the claim `iss`."
    )
    audience: str = Field(min_length=1, description="What the claim `aud` of a token for the service has.")
    login_endpoint: str | None = Field(
        default=None,
        pattern="^https://[^/?#@]+(/[^?#]*)?$",
        description="Where az logs in; default: scheme and host of the issuer.",
    )
    id_claim: str = Field(default="oid", description="Claim with the object id; without it `sub` counts.")
    name_claim: str = Field(default="preferred_username", description="Claim with the name people see.")
    role_claim: str = Field(default="roles", description="Claim with roles or groups: a text or a list.")
    roles: dict[str, str] = Field(
        default_factory=dict, description="Value of that claim -> name of a built-in role, held everywhere."
    )


class LogFormat(StrEnum):
    """How the service writes its own log: ``key=value`` or JSON, a line for each event."""

    TEXT = "text"
    JSON = "json"


class ServiceSettings(BaseModel):
    """What ``vmwright serve`` listens on, and whose tokens it takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str = Field(default="127.0.0.1:8443", description="HOST:PORT; an IPv6 address in brackets.")
    names: tuple[Annotated[str, Field(pattern="^[A-Za-z0-9_.:-]+$")], ...] = Field(
        default=(), description="Further names and addresses by which clients reach the service."
    )
    # those of templates that name none (template/placeholders.py): images built by command are seen here
    subscription: UUID = Field(
        default=UUID("00000000-0000-0000-0000-000000000000"), description="Id of the one subscription."
    )
    tenant: UUID = Field(
        default=UUID("22222222-2222-2222-2222-222222222222"), description="Id of the one tenant."
    )
    token_minutes: int = Field(default=60, ge=5, le=1440, description="For how long a token is valid.")
    key_days: int = Field(default=30, ge=1, description="Days after which tokens are signed with a new key.")
    trigger_minutes: int = Field(
        default=60, ge=1, le=10080, description="Minutes between looks at the sources that triggers follow."
    )
    oidc: OidcSettings | None = Field(default=None)
    log_format: LogFormat = Field(default=LogFormat.TEXT, description="The log on standard error.")

    @field_validator("listen")
    @classmethod
    def _host_and_port(cls, listen: str) -> str:
        if not (found := LISTEN.fullmatch(listen)) or int(found["port"]) > HIGHEST_PORT:
            raise ValueError(f"{listen} is not HOST:PORT")
        return listen

    @property
    def host(self) -> str:
        """Where to listen, without brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on; 0: any that is free."""
        return int(self.listen.rpartition(":")[2])


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
