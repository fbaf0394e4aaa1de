"""Looking into a finished VHD without mounting it: is it one, and does it hold what the job puts there?"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from bench.job import COPIED, NGINX, PAGE

if TYPE_CHECKING:
    from pathlib import Path

SECTOR = 512


class WrongImageError(Exception):
    """An image is not what the job asks for."""


def check_image(vhd: Path, **contents: str) -> None:
    """Look for the copied page and nginx in a fixed VHD.

    :param contents: of further files, by their paths.
    :raises WrongImageError: something is missing or differs.
    """
    if not vhd.exists():
        raise WrongImageError(f"{vhd.name} was not made")
    size = json.loads(_said("qemu-img", "info", "-f", "vpc", "--output=json", str(vhd)))["virtual-size"]
    if vhd.stat().st_size != size + SECTOR:
        raise WrongImageError(f"{vhd.name} is no fixed VHD")
    root = f"{vhd}?offset={_root_offset(vhd)}"
    if "Type: regular" not in _said("debugfs", "-R", f"stat {NGINX}", root):
        raise WrongImageError(f"no {NGINX} in {vhd.name}")
    for path, content in {COPIED: PAGE, **contents}.items():
        found = _said("debugfs", "-R", f"cat {path}", root)
        if found != content:
            raise WrongImageError(f"{path} in {vhd.name} is {found[:60]!r}")


def _root_offset(vhd: Path) -> int:
    """Return where the root file system begins, in bytes: in the largest partition."""
    partitions = json.loads(_said("sfdisk", "--json", str(vhd)))["partitiontable"]["partitions"]
    return int(max(partitions, key=lambda one: one["size"])["start"]) * SECTOR


def _said(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise WrongImageError(f"{argv[0]}: {done.stderr.strip()}")
    return done.stdout
