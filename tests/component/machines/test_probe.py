"""The KVM probe: a verdict is proven, refused at sight, or stays open; it is never guessed."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from vmwright import process
from vmwright.machines.machine import Accelerator
from vmwright.machines.probe import KVM_SECONDS, KvmVerdict, boots, find_kernel, kvm_modules, probe_kvm

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A device that can be opened, on a host whose modules promise hardware virtualisation."""
    device = tmp_path / "kvm"
    device.touch()
    return device


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    folder = tmp_path / "module"
    for name in ("kvm", "kvm_intel", "ext4"):
        (folder / name).mkdir(parents=True)
    return folder


async def test_no_device_is_no_kvm(tmp_path: Path) -> None:
    verdict = await probe_kvm(None, cache=tmp_path / "host.json", device=tmp_path / "none")
    assert verdict == KvmVerdict(usable=False, reason=f"there is no {tmp_path / 'none'}")
    assert not (tmp_path / "host.json").exists()


async def test_pvm_without_hardware_is_refused_at_sight(tmp_path: Path, device: Path) -> None:
    (tmp_path / "pvm" / "kvm_pvm").mkdir(parents=True)
    verdict = await probe_kvm(
        None, cache=tmp_path / "c", device=device, modules=kvm_modules(tmp_path / "pvm")
    )
    assert not verdict.usable
    assert "kvm_pvm" in verdict.reason


async def test_without_a_kernel_kvm_stays_unproven_and_is_asked_again(
    tmp_path: Path, device: Path, modules: Path
) -> None:
    cache = tmp_path / "home" / "host.json"
    verdict = await probe_kvm(None, cache=cache, device=device, modules=kvm_modules(modules))
    assert not verdict.usable
    assert "not proven" in verdict.reason
    assert not cache.exists()


async def test_a_file_that_does_not_boot_is_no_proof_and_the_verdict_is_kept(
    tmp_path: Path, device: Path, modules: Path
) -> None:
    cache, kernel = tmp_path / "home" / "host.json", tmp_path / "vmlinuz-9"
    kernel.write_bytes(b"not a kernel")
    found = kvm_modules(modules)
    verdict = await probe_kvm(kernel, cache=cache, device=device, modules=found)
    assert not verdict.usable
    assert "vmlinuz-9 did not boot" in verdict.reason
    kept = json.loads(cache.read_text())
    kept["kvm"] = {"usable": True, "reason": "kept"}
    cache.write_text(json.dumps(kept))
    assert await probe_kvm(kernel, cache=cache, device=device, modules=found) == KvmVerdict(
        usable=True, reason="kept"
    )
    others = found | {"kvm_amd"}
    assert not (await probe_kvm(kernel, cache=cache, device=device, modules=others)).usable


async def test_a_damaged_cache_is_asked_nothing(tmp_path: Path, device: Path, modules: Path) -> None:
    cache = tmp_path / "host.json"
    cache.write_text("{")
    verdict = await probe_kvm(None, cache=cache, device=device, modules=kvm_modules(modules))
    assert "not proven" in verdict.reason


def test_a_kernel_of_a_source_disk_is_taken_before_the_hosts_own(tmp_path: Path) -> None:
    home, boot = tmp_path / "home", tmp_path / "boot"
    boot.mkdir()
    assert find_kernel(home, boot=boot) is None
    (boot / "vmlinuz-6.1").touch()
    assert find_kernel(home, boot=boot) == boot / "vmlinuz-6.1"
    (home / "kernels").mkdir(parents=True)
    (home / "kernels" / "vmlinuz-6.1.0").touch()
    assert find_kernel(home, boot=boot) == home / "kernels" / "vmlinuz-6.1.0"


@pytest.mark.machine
async def test_a_stock_kernel_boots_emulated_and_kvm_is_judged_by_the_same_boot(
    tmp_path: Path, debian_disk: Path
) -> None:
    kernel = await kernel_of(debian_disk, tmp_path)
    assert await boots(kernel, Accelerator.TCG, timeout=60)
    began = time.monotonic()
    verdict = await probe_kvm(kernel, cache=tmp_path / "host.json")
    assert time.monotonic() - began < KVM_SECONDS + 10
    assert verdict.usable == await boots(kernel, Accelerator.KVM, timeout=KVM_SECONDS)


async def kernel_of(disk: Path, folder: Path) -> Path:
    """Read the kernel out of a source disk's root file system without mounting it."""
    raw, kernel = folder / "disk.raw", folder / "vmlinuz"
    await process.run(["qemu-img", "convert", "-O", "raw", disk, raw], timeout=120)
    table = json.loads((await process.run(["sfdisk", "-J", raw], timeout=30)).stdout)["partitiontable"]
    root = max(table["partitions"], key=lambda partition: partition["size"])
    image = f"{raw}?offset={root['start'] * table['sectorsize']}"
    listed = (await process.run(["debugfs", "-R", "ls -p /boot", image], timeout=30)).text
    name = next(line.split("/")[5] for line in listed.splitlines() if "/vmlinuz-" in line)
    await process.run(["debugfs", "-R", f"dump /boot/{name} {kernel}", image], timeout=30)
    raw.unlink()
    return kernel
