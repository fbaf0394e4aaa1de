"""What a guest boots from, read from its mounted disk."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from vmwright.artifacts.foreign_tree import ForeignTree
from vmwright.machines.boot_files import BootFilesOnDisk, changes


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


def test_what_has_not_changed_is_not_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot = BootFilesOnDisk(ForeignTree(root))
    before = boot.read()
    monkeypatch.delattr(ForeignTree, "opened")
    assert boot.read() == before
