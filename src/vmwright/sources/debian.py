"""Debian 12 as a source: bootstrapped on this host, generalized, as a disk that boots by BIOS and UEFI.

This is what the catalogue has behind ``Debian:debian-12:12:latest``. It works as root, and as a plain user
with subordinate ids (in a user namespace); what mmdebstrap mounts is in a namespace of its own.
What the image holds: docs/debian-source.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import tempfile
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vmwright.disks.assemble import RootTree, assemble
from vmwright.disks.conversion import convert
from vmwright.disks.inspect import DiskFacts, inspect
from vmwright.disks.qemu_img import DiskFormat
from vmwright.errors import ProcessError, SourceError, TemplateError, UnsupportedError
from vmwright.events import Output, Progress, Stream
from vmwright.marks import marked
from vmwright.process import run, which
from vmwright.state.resources import ResourceKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from vmwright.events import Events
    from vmwright.settings import DebianSettings
    from vmwright.state.resources import Ledger

SUITE = "bookworm"
SUITES = (SUITE, f"{SUITE}-updates")
SECURITY_SUITE = f"{SUITE}-security"
COMPONENT = "main"

GIB = 1 << 30
QUICK = 60.0
BOOTSTRAP_SECONDS = 1800.0
LAST_LINES = 12
IMAGE_FILES = Path(__file__).parent / "debian_image"

PACKAGES = (
    *("linux-image-cloud-amd64", "initramfs-tools", "zstd", "e2fsprogs", "dosfstools", "fdisk", "kmod"),
    *("grub-cloud-amd64", "grub-efi-amd64-signed", "shim-signed"),
    *("systemd-sysv", "systemd-resolved", "systemd-timesyncd", "libpam-systemd", "udev", "dbus"),
    *("iproute2", "iputils-ping", "netbase", "libnss-myhostname", "openssh-server", "sudo", "procps"),
    *("cloud-init", "cloud-guest-utils", "waagent", "unattended-upgrades", "apt-utils", "lsb-release"),
    *("ca-certificates", "curl", "wget", "gpg", "xz-utils", "less"),
)
TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "sfdisk": "fdisk",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "qemu-img": "qemu-utils",
}
TOOLS_OF_A_PLAIN_USER = {"newuidmap": "uidmap"}
NO_SPACE = ("No space left on device", "not enough free space", "Disk quota exceeded")
NO_NETWORK = ("Failed to fetch", "Could not resolve", "Could not connect", "Unable to connect", "Connection ")


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianDisk:
    """A bootstrapped disk: a qcow2, what it is, and its version (``12.<point release>.<yyyymmdd>``).

    ``kernel`` is a copy of its kernel beside it, by which this host can prove that KVM works.
    """

    path: Path
    kernel: Path
    facts: DiskFacts
    version: str


async def bootstrap(
    folder: Path,
    *,
    settings: DebianSettings,
    events: Events,
    ledger: Ledger,
    timeout: float = BOOTSTRAP_SECONDS,
) -> DebianDisk:
    """Make a Debian 12 disk from packages; takes about 45 seconds and 2.5 GiB for that time.

    :param folder: where the finished qcow2 appears, whole or not at all.
    :param timeout: seconds for installing the packages.
    :raises UnsupportedError: tools are missing on this host (all are named).
    :raises SourceError: no network, no space, or what else mmdebstrap says.
    """
    _require_tools()
    archive = await archive_lines(settings)
    for line in archive:
        events.keep_secret(urlsplit(line.split()[1]).password or "")
    events.note(f"Bootstrapping Debian 12 from {_said(archive)}")
    async with _workshop(folder, ledger) as (work, tree):
        await _install(tree, archive, events=events, ledger=ledger, timeout=timeout)
        version = _version(tree)
        raw = work / "disk.raw"
        await assemble(tree, raw, size=settings.disk_size_gib * GIB, work=work / "boot")
        facts = await inspect(raw, work=work, ledger=ledger)
        disk = folder / f"debian-{version}.qcow2"
        await convert(raw, disk, to=DiskFormat.QCOW2, on_progress=_progress_of(disk, events))
        kernel = await asyncio.to_thread(_copy_kernel, tree.path / "boot", folder)
    return DebianDisk(path=disk, kernel=kernel, facts=facts, version=version)


async def archive_lines(settings: DebianSettings) -> tuple[str, ...]:
    """Return apt's lines for Debian 12: as configured, else as this host's apt has them, else none.

    None means mmdebstrap's own default. A configured mirror without a security mirror stands alone. A host's
    address that holds a password is passed over: the lines are shown, and go into the image.

    :raises TemplateError: a security mirror is configured, but no mirror.
    """
    if settings.security_mirror and not settings.mirror:
        raise TemplateError(
            "debian.security_mirror is configured without debian.mirror", hint="name both in vmwright.toml"
        )
    if settings.mirror:
        places = [(settings.mirror, suite) for suite in SUITES]
        if settings.security_mirror:
            places.append((settings.security_mirror, SECURITY_SUITE))
        return tuple(f"deb {uri} {suite} {COMPONENT}" for uri, suite in places)
    if which("apt-get") is None:
        return ()
    argv = [
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI) $(CODENAME) $(COMPONENT)",
        "Created-By: Packages",
    ]
    known = await run(argv, timeout=QUICK, check=False)
    wanted = {(suite, COMPONENT) for suite in (*SUITES, SECURITY_SUITE)}
    lines = []
    for target in known.text.splitlines():
        uri, *place = target.split()
        address = urlsplit(uri)
        if tuple(place) in wanted and address.scheme in {"http", "https"} and not address.password:
            lines.append(f"deb {uri} {' '.join(place)}")
    has_release = any(line.split()[2] == SUITE for line in lines)
    return tuple(dict.fromkeys(lines)) if has_release else ()


@contextlib.asynccontextmanager
async def _workshop(folder: Path, ledger: Ledger) -> AsyncIterator[tuple[Path, RootTree]]:
    """Give a folder for the work and the tree to be; both are gone afterwards.

    A plain user's tree belongs to his subordinate ids: they must reach the folder through all its parents
    ($VMWRIGHT_HOME is closed) and make files in it, which nobody else may list or replace.
    """
    root = os.geteuid() == 0
    work = (folder if root else Path(tempfile.gettempdir())) / f"vmwright-debian-{uuid.uuid4().hex}"
    tree = RootTree(work / "root", () if root else ("mmdebstrap", "--unshare-helper"))
    claim = ledger.claim(ResourceKind.PATH, work)
    try:
        work.mkdir(mode=0o700)
        work.chmod(0o700 if root else 0o1733)
        (work / "boot").mkdir()
        yield work, tree
    finally:
        await tree.run("rm", "--recursive", "--force", "--one-file-system", tree.path, work / "disk.raw")
        await run(["rm", "--recursive", "--force", "--one-file-system", work], timeout=QUICK)
        ledger.release(claim)


async def _install(
    tree: RootTree, archive: tuple[str, ...], *, events: Events, ledger: Ledger, timeout: float
) -> None:
    lines = _Lines(events)
    token = f"debian-{uuid.uuid4().hex}"
    finish = f'sh {shlex.quote(str(IMAGE_FILES / "finish.sh"))} "$1"'
    argv = [
        # its root mode would mount /proc, /sys and /dev in the host's own namespace, and leave them if killed
        *("mmdebstrap", "--mode=unshare", "--variant=minbase"),
        *("--architectures=amd64", "--format=directory", "--dpkgopt=force-unsafe-io"),
        *(f"--include={','.join(PACKAGES)}", f"--customize-hook={finish}", SUITE, str(tree.path), *archive),
    ]
    # the kernel's own initramfs would be made again by later packages: finish.sh makes the only one
    environment = {"INITRD": "No", "LC_ALL": "C", **marked(token)}
    claim = ledger.claim(ResourceKind.PROCESS, token)
    try:
        ended = await run(
            argv, timeout=timeout, check=False, env=environment, on_stdout=lines.feed, on_stderr=lines.feed
        )
    except ProcessError as error:
        raise SourceError(f"Debian 12 could not be bootstrapped: {error.message}", hint=error.hint) from error
    finally:
        ledger.release(claim)
    if ended.returncode != 0:
        raise _bootstrap_failed(lines.last, tree)


def _bootstrap_failed(last: deque[str], tree: RootTree) -> SourceError:
    said = "\n".join(f"    {line}" for line in last)
    hint = "try the same by hand: mmdebstrap --variant=minbase bookworm /tmp/tree"
    if any(sign in said for sign in NO_NETWORK):
        hint = (
            "the Debian archive cannot be reached: check the network, or name a mirror that can be reached "
            "in debian.mirror and debian.security_mirror of vmwright.toml"
        )
    if any(sign in said for sign in NO_SPACE):
        hint = f"free about 2.5 GiB in {tree.path.parent.parent}"
    return SourceError(f"Debian 12 could not be bootstrapped. mmdebstrap says:\n{said}", hint=hint)


def _require_tools() -> None:
    wanted = TOOLS if os.geteuid() == 0 else TOOLS | TOOLS_OF_A_PLAIN_USER
    missing = sorted({package for tool, package in wanted.items() if which(tool) is None})
    if missing:
        raise UnsupportedError(
            f"Debian 12 cannot be bootstrapped on this host: {', '.join(missing)} missing",
            hint=f"apt-get install {' '.join(missing)}",
        )


def _version(tree: RootTree) -> str:
    point = (tree.path / "etc/debian_version").read_text().strip()
    return f"{point}.{datetime.now(UTC):%Y%m%d}"


def _copy_kernel(boot: Path, folder: Path) -> Path:
    kernel = max(boot.glob("vmlinuz-*"))
    return Path(shutil.copyfile(kernel, folder / kernel.name))


def _said(archive: tuple[str, ...]) -> str:
    places = dict.fromkeys(line.split()[1] for line in archive)
    return ", ".join(places) or "the default archive"


def _progress_of(disk: Path, events: Events) -> Callable[[int, int], None]:
    return lambda done, total: events.say(Progress(what=disk.name, done=done, total=total))


class _Lines:
    """Turns what a program prints into events, line by line, and keeps the last ones."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._rest = b""
        self.last: deque[str] = deque(maxlen=LAST_LINES)

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").rstrip()
            self.last.append(text)
            self._events.say(Output(line=text, stream=Stream.STDERR))
