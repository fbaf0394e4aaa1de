"""A foreign tree is read as its guest sees it: nothing in it leads to this host's files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vmwright.artifacts import foreign_tree
from vmwright.artifacts.foreign_tree import ForeignTree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/file").write_text("the guest's")
    (root / "lib").symlink_to("usr/lib")
    (tmp_path / "secret").write_text("the host's")
    return root


def test_links_lead_to_where_they_lead_inside(root: Path, tmp_path: Path) -> None:
    tree = ForeignTree(root)
    (root / "absolute").symlink_to("/lib/file")
    (root / "climbs").symlink_to("../../../../../../usr/lib/file")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to("../secret")
    (root / "round").symlink_to("round")
    for path in ("/lib/file", "/absolute", "/climbs"):
        assert tree.read(path) == b"the guest's", path
    for path in ("/out", "/up", "/nothing", "/nothing/file"):
        with pytest.raises(FileNotFoundError):
            tree.read(path)
        assert tree.stamp(path) is None
    with pytest.raises(OSError, match="symbolic links"):
        tree.read("/round")


def test_only_regular_files_of_a_sane_size_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = ForeignTree(root)
    os.mkfifo(root / "pipe")
    for path in ("/pipe", "/usr"):
        with pytest.raises(OSError, match="Invalid argument"):
            tree.read(path)
    monkeypatch.setattr(foreign_tree, "MOST_BYTES", 5)
    with pytest.raises(OSError, match="too large"):
        tree.read("/lib/file")


def test_files_are_listed_without_what_links_lead_to(root: Path) -> None:
    tree = ForeignTree(root)
    (root / "usr/lib/below").mkdir()
    (root / "usr/lib/below/other").touch()
    (root / "usr/lib/etc").symlink_to("/etc")
    os.mkfifo(root / "usr/lib/pipe")
    assert sorted(path for path, _ in tree.files("/usr")) == ["/usr/lib/below/other", "/usr/lib/file"]
    assert [path for path, _ in tree.files("/lib/file")] == ["/lib/file"]
    assert list(tree.files("/nothing")) == []


def test_a_stamp_tells_every_change_of_contents(root: Path) -> None:
    tree, file = ForeignTree(root), root / "usr/lib/file"
    before, status = tree.stamp("/lib/file"), file.stat()
    file.write_text("THE GUEST'S")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert tree.stamp("/lib/file") != before
    link = tree.stamp("/lib", follow=False)
    assert link
    assert link != tree.stamp("/lib")


def test_a_new_file_is_written_and_never_an_old_one(root: Path, tmp_path: Path) -> None:
    tree = ForeignTree(root)
    tree.write("/lib/key", b"new", mode=0o600)
    assert ((root / "usr/lib/key").read_bytes(), (root / "usr/lib/key").stat().st_mode & 0o777) == (
        b"new",
        0o600,
    )
    (root / "usr/lib/link").symlink_to(tmp_path / "made")
    for path in ("/lib/key", "/lib/link"):
        with pytest.raises(FileExistsError):
            tree.write(path, b"other", mode=0o600)
    assert not (tmp_path / "made").exists()
