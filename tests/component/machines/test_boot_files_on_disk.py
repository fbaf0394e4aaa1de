"""What a guest boots from, read from its mounted disk."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.scripted import ScriptedTransport
from vmwright import process
from vmwright.artifacts.foreign_tree import ForeignTree
from vmwright.guests.linux import LinuxGuest
from vmwright.guests.transport import Ended
from vmwright.machines.boot_files import LARGE, READ, BootFilesOnDisk, boot_files, changes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in ("boot/vmlinuz-6", "boot/grub/grub.cfg", "boot/grub/grubenv", "etc/fstab", "etc/hosts"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    for name in ("kernel/a.ko", "kernel/b.ko", "modules.dep"):
        module = tmp_path / "usr/lib/modules/6" / name
        module.parent.mkdir(parents=True, exist_ok=True)
        module.touch()
    (tmp_path / "lib").symlink_to("usr/lib")
    return tmp_path


def test_all_that_a_guest_boots_from_is_read(root: Path) -> None:
    found = BootFilesOnDisk(ForeignTree(root)).read()
    assert set(found) == {"/boot/vmlinuz-6", "/boot/grub/grub.cfg", "/etc/fstab", "/lib/modules/6"}
    assert found["/etc/fstab"] == hashlib.sha256(b"etc/fstab").hexdigest()


def test_what_has_other_contents_is_a_change_and_what_was_only_touched_is_none(root: Path) -> None:
    boot = BootFilesOnDisk(ForeignTree(root))
    before = boot.read()
    (root / "boot/vmlinuz-6").touch()
    (root / "boot/grub/grubenv").write_text("saved_entry=1")
    (root / "etc/hosts").write_text("new")
    (root / "usr/lib/modules/6/modules.dep").write_text("new")
    assert changes(before, boot.read()) == ()
    status = (root / "etc/fstab").stat()
    (root / "etc/fstab").write_text("ETC/FSTAB")
    os.utime(root / "etc/fstab", ns=(status.st_atime_ns, status.st_mtime_ns))
    (root / "boot/vmlinuz-7").touch()
    (root / "usr/lib/modules/6/kernel/b.ko").unlink()
    assert changes(before, boot.read()) == ("/boot/vmlinuz-7", "/etc/fstab", "/lib/modules/6")


def test_a_large_file_is_known_by_its_inode(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = root / "boot/vmlinuz-6"
    kernel.write_bytes(bytes(LARGE + 1))
    boot = BootFilesOnDisk(ForeignTree(root))
    before = boot.read()
    monkeypatch.delattr(ForeignTree, "opened")
    status = kernel.stat()
    with kernel.open("r+b") as file:
        file.write(b"other")
    os.utime(kernel, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert changes(before, boot.read()) == ("/boot/vmlinuz-6",)


async def test_a_guest_says_the_same_of_its_files(root: Path) -> None:
    for name, size in (("initrd-6", LARGE + 1), ("a name", LARGE), ("config-6", LARGE - 1)):
        (root / "boot" / name).write_bytes(bytes(size))
    said = (await process.run(["sh", "-c", READ.replace(" /", f" {root}/")], timeout=10)).stdout
    listed = said.replace(bytes(root), b"")
    transport = ScriptedTransport(answers={"find": lambda _: Ended(0, listed)})
    assert await boot_files(LinuxGuest(transport, "packer")) == BootFilesOnDisk(ForeignTree(root)).read()


def test_what_has_not_changed_is_not_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot = BootFilesOnDisk(ForeignTree(root))
    before = boot.read()
    monkeypatch.delattr(ForeignTree, "opened")
    assert boot.read() == before
