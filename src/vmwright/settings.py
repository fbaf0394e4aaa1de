"""Typed configuration: ``vmwright.toml`` in $VMWRIGHT_HOME or in the working folder, or VMWRIGHT_ variables.

A key in the working folder's file wins over the same key in $VMWRIGHT_HOME's; a variable wins over both
(``VMWRIGHT_MACHINE=vm``; nested keys with two underscores: ``VMWRIGHT_DEBIAN__DISK_SIZE_GIB=8``).
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from vmwright.errors import TemplateError

FILE_NAME = "vmwright.toml"


def default_home() -> Path:
    """Return $VMWRIGHT_HOME, or vmwright's folder in the XDG data folder."""
    if home := os.environ.get("VMWRIGHT_HOME"):
        return Path(home).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "vmwright"


class MachineChoice(StrEnum):
    """What runs a build: ``auto`` takes the fastest that this host can do."""

    AUTO = "auto"
    VM = "vm"
    CONTAINER = "container"


class DebianSettings(BaseModel):
    """How the host bootstraps Debian source disks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mirror: str | None = Field(
        default=None, description="Archive to use; default: the host's own, or Debian's."
    )
    security_mirror: str | None = Field(default=None, description="The same for security updates.")
    disk_size_gib: int = Field(default=4, ge=2, le=1024, description="Size of the disk in GiB.")


class Settings(BaseSettings):
    """What an operator may configure; every key has a default that works on a fresh host."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="VMWRIGHT_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    home: Path = Field(default_factory=default_home, description="Where all data lives.")
    machine: MachineChoice = Field(default=MachineChoice.AUTO, description="The default of --machine.")
    mirrors: dict[str, str] = Field(
        default_factory=dict, description="URL prefix -> prefix to use instead; file: is allowed."
    )
    debian: DebianSettings = Field(default_factory=DebianSettings)

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
        return Settings(**given)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    except TOMLDecodeError as error:
        wrong = f"{FILE_NAME} is not TOML: {error}"
    raise TemplateError(
        f"The configuration cannot be used: {wrong}",
        hint=f"see docs/configuration.md; it is read from {FILE_NAME} and VMWRIGHT_ variables",
    )
