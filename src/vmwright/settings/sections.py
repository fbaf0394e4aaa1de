"""The sections of the configuration: what each key is, its default, its limits."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(?P<port>\d{1,5})")
HIGHEST_PORT = 65535


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
