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

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from vmwright.errors import TemplateError

FILE_NAME = "vmwright.toml"
PREFIX = "VMWRIGHT_"
# Set by vmwright for the programs that it starts, and by its tests.
NO_KEYS = {"VMWRIGHT_RESOURCE", "VMWRIGHT_TEST_DISK"}


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
        env_prefix=PREFIX,
        env_ignore_empty=True,
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    home: Path = Field(default_factory=default_home, description="Where all data lives.")
    machine: MachineChoice = Field(default=MachineChoice.AUTO, description="The default of --machine.")
    mirrors: dict[str, str] = Field(
        default_factory=dict, description="URL prefix -> prefix to use instead; file: is allowed."
    )
    debian: DebianSettings = Field(default_factory=DebianSettings)

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
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    except (TOMLDecodeError, UnicodeDecodeError) as error:
        wrong = f"{FILE_NAME} is not TOML: {error}"
    except (SettingsError, OSError) as error:
        wrong = str(error)
    raise TemplateError(
        f"The configuration cannot be used: {wrong}",
        hint=f"see docs/configuration.md; it is read from {FILE_NAME} and VMWRIGHT_ variables",
    )


def _refuse_unknown_variables() -> None:
    """Refuse VMWRIGHT_ variables that stand for no key; those that vmwright sets itself are none."""
    keys = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    given = [name for name in os.environ if name.startswith(PREFIX) and name not in NO_KEYS]
    if unknown := sorted(name for name in given if name.partition("__")[0] not in keys):
        raise SettingsError(f"{', '.join(unknown)}: there is no such key")
