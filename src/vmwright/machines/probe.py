"""Whether KVM works on this host, proven by booting a stock kernel under it.

``/dev/kvm`` proves nothing, nor does a processor that runs a boot sector: there are hosts on which both
work and a real kernel hangs without a word.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from vmwright.errors import ProcessError
from vmwright.machines.machine import Accelerator
from vmwright.machines.qemu_arguments import PROGRAM, TCG
from vmwright.machines.versions import version_of
from vmwright.process import run
from vmwright.state.host import boot_id

CACHE_NAME = "host.json"
KERNELS = "kernels"
KVM_SECONDS = 8.0
# where a kernel without a root file system ends: all of its own start lies behind it
PROOF = b"Unable to mount root fs"
HARDWARE_MODULES = {"kvm_intel", "kvm_amd"}
CacheKey = dict[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class KvmVerdict:
    """Whether KVM may be used, and why, in words for the user."""

    usable: bool
    reason: str


async def probe_kvm(
    kernel: Path | None,
    *,
    cache: Path,
    device: Path = Path("/dev/kvm"),
    modules: frozenset[str] | None = None,
) -> KvmVerdict:
    """Find out whether KVM works; takes 8 seconds at most.

    :param kernel: a stock Linux kernel (a bzImage) to boot; without one KVM stays unproven, thus unused.
    :param cache: the file that keeps a verdict for this boot of the host, this QEMU and these modules.
    :param device, modules: KVM's device and kernel modules; without ``modules`` those of this host.
    """
    modules = kvm_modules() if modules is None else modules
    if refusal := _refused_at_sight(device, modules):
        return KvmVerdict(usable=False, reason=refusal)
    qemu = await version_of(PROGRAM, hint="apt-get install qemu-system-x86")
    key: CacheKey = {"boot_id": boot_id(), "qemu": qemu, "modules": sorted(modules)}
    if known := _recall(cache, key):
        return known
    if kernel is None:
        return KvmVerdict(
            usable=False,
            reason="KVM is not proven: there is no readable Linux kernel on this host to boot under it;"
            " the first source disk that is made here leaves one",
        )
    if await boots(kernel, Accelerator.KVM, timeout=KVM_SECONDS):
        verdict = KvmVerdict(usable=True, reason=f"{kernel.name} booted under KVM")
    else:
        verdict = KvmVerdict(
            usable=False,
            reason=f"{device} is there, but {kernel.name} did not boot under it in {KVM_SECONDS:g} seconds",
        )
    _remember(cache, key, verdict)
    return verdict


async def boots(kernel: Path, accelerator: Accelerator, *, timeout: float) -> bool:
    """Return whether a kernel comes as far as looking for its root file system within ``timeout`` seconds."""
    said = bytearray()
    processors = ("kvm", "host") if accelerator is Accelerator.KVM else (TCG, "max")
    command = [
        *(PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "q35", "-accel", processors[0], "-cpu", processors[1], "-m", "512M"),
        *("-serial", "stdio", "-kernel", str(kernel), "-append", "console=ttyS0 panic=-1"),
    ]
    with contextlib.suppress(ProcessError):  # a kernel that hangs is ended by the time limit
        await run(command, timeout=timeout, check=False, on_stdout=said.extend)
    return PROOF in said


def find_kernel(home: Path, *, boot: Path = Path("/boot")) -> Path | None:
    """Return a kernel to prove KVM with: one that a source disk left in ``home``, or the host's own."""
    candidates = (
        *sorted((home / KERNELS).glob("vmlinuz*"), reverse=True),
        boot / f"vmlinuz-{os.uname().release}",
        *sorted(boot.glob("vmlinuz*"), reverse=True),
    )
    return next((path for path in candidates if path.is_file() and os.access(path, os.R_OK)), None)


def kvm_modules(folder: Path = Path("/sys/module")) -> frozenset[str]:
    """Return the names of the KVM modules that are loaded or built in."""
    return frozenset(path.name for path in folder.glob("kvm*"))


def _refused_at_sight(device: Path, modules: frozenset[str]) -> str | None:
    if not device.exists():
        return f"there is no {device}"
    if not os.access(device, os.R_OK | os.W_OK):
        return f"{device} may not be opened; `sudo usermod -aG kvm $USER` and a new login allow it"
    if "kvm_pvm" in modules and not modules & HARDWARE_MODULES:
        return f"{device} is that of kvm_pvm, under which stock kernels do not boot"
    return None


def _recall(cache: Path, key: CacheKey) -> KvmVerdict | None:
    try:
        kept = json.loads(cache.read_text())
        return KvmVerdict(**kept["kvm"]) if kept["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(cache: Path, key: CacheKey, verdict: KvmVerdict) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = cache.with_suffix(".new")
    draft.write_text(json.dumps({"key": key, "kvm": asdict(verdict)}))
    draft.replace(cache)
