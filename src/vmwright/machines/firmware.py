"""UEFI firmware of this host for generation V2: OVMF, as the distributions install it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from vmwright.errors import UnsupportedError

FOLDERS = (Path("/usr/share/OVMF"), Path("/usr/share/edk2/ovmf"), Path("/usr/share/edk2/x64"))
PAIRS = (
    ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
    ("OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd"),
    ("OVMF_CODE.fd", "OVMF_VARS.fd"),
)


@dataclass(frozen=True, slots=True)
class Firmware:
    """UEFI firmware: the code, which all machines share, and variables, of which each needs its own copy."""

    code: Path
    variables: Path


def find_firmware() -> Firmware | None:
    """Return the OVMF of this host, without Secure Boot keys, or None where there is none."""
    pairs = (Firmware(folder / code, folder / names) for folder in FOLDERS for code, names in PAIRS)
    return next((pair for pair in pairs if pair.code.exists() and pair.variables.exists()), None)


def own_copy(firmware: Firmware, destination: Path) -> Firmware:
    """Return ``firmware`` with its variables copied to ``destination``, which a machine may write."""
    shutil.copyfile(firmware.variables, destination)
    return Firmware(firmware.code, destination)


def require_firmware() -> Firmware:
    """Return the OVMF of this host.

    :raises UnsupportedError: there is none.
    """
    firmware = find_firmware()
    if firmware is None:
        raise UnsupportedError(
            "A generation V2 machine boots by UEFI, and this host has no OVMF",
            hint="apt-get install ovmf",
        )
    return firmware
