"""What the comparison of images sees, and what it lets pass."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.image_trees import differences, tree_of


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """Two equal trees."""
    for name in ("one", "other"):
        tree = tmp_path / name
        (tree / "etc").mkdir(parents=True)
        (tree / "var/log").mkdir(parents=True)
        (tree / "etc/motd").write_text("hello\n")
        (tree / "etc/link").symlink_to("motd")
    return tmp_path / "one", tmp_path / "other"


def found(trees: tuple[Path, Path]) -> list[str]:
    return [line.partition(":")[0] for line in differences(*map(tree_of, trees))]


def test_equal_trees_are_equal(trees: tuple[Path, Path]) -> None:
    assert found(trees) == []


def test_content_modes_targets_attributes_and_missing_files_are_seen(trees: tuple[Path, Path]) -> None:
    _, other = trees
    for name in ("content", "mode", "attribute"):
        for tree in trees:
            (tree / "etc" / name).write_text("the same\n")
    (other / "etc/content").write_text("another\n")
    (other / "etc/mode").chmod(0o4755)
    os.setxattr(other / "etc/attribute", "user.origin", b"elsewhere")
    (other / "etc/link").unlink()
    (other / "etc/link").symlink_to("passwd")
    (other / "etc/more").mkdir()
    assert found(trees) == ["/etc/attribute", "/etc/content", "/etc/link", "/etc/mode", "/etc/more"]


def test_only_what_is_listed_may_differ(trees: tuple[Path, Path]) -> None:
    one, _ = trees
    (one / "var/log/syslog").write_text("12:00 started\n")
    (one / "var/lib").mkdir()
    (one / "var/lib/log").write_text("12:00 started\n")
    assert found(trees) == ["/var/lib", "/var/lib/log"]
