"""What grows: each way to make a build larger, and what it takes then, in homes that begin alike."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.job import call, write_template
from bench.measured import VMWRIGHT, run
from bench.ours import CONTAINER, Home, shell, succeeded
from vmwright.artifacts.facts import ImageFacts
from vmwright.images import open_images
from vmwright.regions import DISPLAY_NAMES
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.template.model import Generation, OsType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bench.job import Folder

FRESH = (*CONTAINER, "--no-cache")
GALLERY = (
    "/subscriptions/<subscriptionID>/resourceGroups/<rgName>/providers/Microsoft.Compute/galleries/bench"
)
RESOURCES = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/bench/providers"
STORED_BYTES = 1 << 16
XFS_BYTES = 64 << 30


@dataclass(frozen=True, slots=True)
class Growing:
    """A series to measure.

    :param once: measures one value once, in seconds.
    """

    name: str
    what: str
    values: tuple[int, ...]
    once: Callable[[Folder, int], float]


def disk_size(folder: Folder, gib: int) -> float:
    """Build with a disk of so many GiB, as a VHD."""
    file = folder.root / "growth.json"
    template = write_template(file, [shell("one", "true")], vmProfile={"osDiskSizeGB": gib})
    return _build(template, folder, _home(folder))


def steps(folder: Folder, number: int) -> float:
    """Build with so many steps that do nothing."""
    template = write_template(
        folder.root / "growth.json", [shell(f"step {one}", f"echo {one}") for one in range(number)]
    )
    return _build(template, folder, _home(folder))


def replicas(folder: Folder, number: int) -> float:
    """Build a gallery's version with so many replicas, on the file system of the work folder."""
    return _replicated(folder, folder.homes / "replicas", number)


def replicas_on_xfs(folder: Folder, number: int) -> float:
    """Build the same on a file system that shares blocks between files."""
    with _xfs(folder.root) as mounted:
        return _replicated(folder, mounted / "home", number)


def stored_images(folder: Folder, number: int) -> float:
    """Build where so many images are stored already."""
    template = write_template(folder.root / "growth.json", [shell("one", "true")])
    return _build(template, folder, _home(folder, stored=number))


def listed_images(folder: Folder, number: int) -> float:
    """List so many images that are stored."""
    return _home(folder, stored=number).run("images").seconds


def parallel_builds(folder: Folder, number: int) -> float:
    """Begin so many builds at once in one home; the seconds are until the last has ended, by their number."""
    home = _home(folder)
    template = write_template(
        folder.root / "growth.json", [shell("one", "sudo sh -c 'cat /usr/bin/* | sha256sum'")]
    )
    names = folder.root / "names"
    names.write_text("".join(f"build{one}\n" for one in range(number)))
    build = (VMWRIGHT, "build", template, "--name", "{}", *FRESH, "--out", f"{folder.of('growth')}/{{}}")
    folder.warm()
    taken = run(
        ("xargs", "--arg-file", names, f"--max-procs={number}", "-I{}", *build), environment=home.environment
    )
    return succeeded(taken).seconds / number


SERIES = (
    Growing("disk size, GiB", "a build to a VHD", (4, 16, 64), disk_size),
    Growing("steps", "a build of steps that do nothing", (1, 10, 30), steps),
    Growing("replicas", "a build of a gallery's version", (1, 10), replicas),
    Growing("replicas, on XFS", "the same with reflinks", (1, 10), replicas_on_xfs),
    Growing("stored images", "a build to a VHD", (0, 100, 1000), stored_images),
    Growing("listed images", "vmwright images", (0, 100, 1000), listed_images),
    Growing("builds at once", "each build, on the average", (1, 2, 4), parallel_builds),
)


def _build(template: Path, folder: Folder, home: Home) -> float:
    folder.warm()
    return home.build(template, *FRESH, "--out", folder.of("growth")).taken.seconds


def _home(folder: Folder, *, stored: int = 0) -> Home:
    """Return the home with so many images, which is made once: builds that keep nothing leave it as it is."""
    home = Home(folder.homes / f"with-{stored}")
    if not home.folder.exists():
        home.make(folder.source)
        asyncio.run(_store(home.folder, stored))
    return home


def _replicated(folder: Folder, home_folder: Path, number: int) -> float:
    regions = ["westus2", *(name for name in DISPLAY_NAMES if name != "westus2")][:number]
    shared = {
        "type": "SharedImage",
        "galleryImageId": f"{GALLERY}/images/grown",
        "runOutputName": "grown",
        "replicationRegions": regions,
    }
    template = write_template(folder.root / "growth.json", [shell("one", "true")], distribute=[shared])
    home = Home(home_folder)
    home.make(folder.source)
    folder.warm()
    return home.build(template, *FRESH).taken.seconds


@contextlib.contextmanager
def _xfs(work: Path) -> Iterator[Path]:
    """Mount a new XFS from a sparse file."""
    disk, mounted = work / "xfs.raw", work / "xfs"
    mounted.mkdir(exist_ok=True)
    with disk.open("wb") as file:
        file.truncate(XFS_BYTES)
    with contextlib.ExitStack() as stack:
        stack.callback(disk.unlink)
        call("mkfs.xfs", "-q", "-m", "reflink=1", disk)
        # past the cache of the file system below: whatever is in there twice makes runs differ
        device = call("losetup", "--find", "--show", "--direct-io=on", disk).strip()
        stack.callback(call, "losetup", "--detach", device)
        call("mount", device, mounted)
        stack.callback(call, "umount", mounted)
        yield mounted


async def _store(home: Path, number: int) -> None:
    """Put images into a home: a row and a small file of its own each."""
    settings = Settings(home=home)
    database = open_database(settings)
    images = open_images(settings, database)
    facts = ImageFacts(
        os_type=OsType.LINUX, os_name="Linux", generation=Generation.V1, size_bytes=STORED_BYTES
    )
    for one in range(number):
        file = home / "stored"
        file.write_bytes(str(one).encode().ljust(STORED_BYTES))
        images.managed.put(
            f"{RESOURCES}/Microsoft.Compute/images/stored{one}",
            location="westus2",
            artifact=await images.artifacts.adopt(file, "raw"),
            facts=facts,
            tags={},
            writing=database.session,
        )
    database.close()
