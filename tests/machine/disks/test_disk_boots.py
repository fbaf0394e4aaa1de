"""The assembled disk boots by both firmwares as it is: no seed, no network, nothing handed in."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from vmwright import process
from vmwright.disks.qemu_img import DiskFormat, create_overlay

pytestmark = [pytest.mark.machine, pytest.mark.emulated, pytest.mark.slow]

SECONDS = 400.0
FIRMWARE = Path("/usr/share/OVMF")
QEMU = (
    *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024"),
    *("-nodefaults", "-no-user-config", "-display", "none", "-net", "none"),
)


async def boot_to_login(disk: Path, folder: Path, *machine: str) -> str:
    """Boot an overlay of the disk and return the console up to its login prompt."""
    overlay, console = folder / "overlay.qcow2", folder / "console.log"
    await create_overlay(overlay, backing=disk, backing_format=DiskFormat.QCOW2)
    console.touch()
    drive = f"if=virtio,file={overlay},format=qcow2,cache=unsafe"
    argv = [*QEMU, *machine, "-serial", f"file:{console}", "-drive", drive]
    qemu = await process.start(argv, log=folder / "qemu.log")
    try:
        async with asyncio.timeout(SECONDS):
            while " login:" not in (said := console.read_text(errors="replace")):
                assert qemu.returncode is None, qemu.last_lines()
                await asyncio.sleep(0.5)
    except TimeoutError:
        pytest.fail(f"no login prompt; the console ends in: {said[-2000:]}")
    finally:
        await qemu.end(grace=0.5)
    return said


async def test_bios(debian_disk: Path, tmp_path: Path) -> None:
    said = await boot_to_login(debian_disk, tmp_path, "-machine", "q35")
    assert "Linux version" in said


async def test_uefi_with_secure_boot(debian_disk: Path, tmp_path: Path) -> None:
    """Shim, GRUB and the kernel are signed: firmware that knows Microsoft's keys only takes them."""
    variables = tmp_path / "variables.fd"
    shutil.copy(FIRMWARE / "OVMF_VARS_4M.ms.fd", variables)
    said = await boot_to_login(
        debian_disk,
        tmp_path,
        *("-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"),
        *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE / 'OVMF_CODE_4M.ms.fd'}"),
        *("-drive", f"if=pflash,unit=1,format=raw,file={variables}"),
    )
    assert "secureboot: Secure boot enabled" in said
