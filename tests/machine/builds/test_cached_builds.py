"""Real builds in containers that take steps from the cache: what they make is what is made without it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image_trees import differences, mounted, tree_of
from tests.vmwright_command import Done, Vmwright, shell, write_template
from vmwright.disks.filetree import ExtFiles
from vmwright.disks.partitions import read_table
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger

pytestmark = pytest.mark.machine

ROOT_PARTITION = 3
COUNT = "echo {} | sudo tee -a /var/lib/counted >/dev/null"


@pytest.fixture
def cached(vmwright: Vmwright) -> Vmwright:
    return dataclasses.replace(vmwright, environment={"VMWRIGHT_CACHE__MAX_SIZE_GIB": "5"})


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    database = open_database(Settings(home=home))
    yield Ledger(database)
    database.close()


def taken(done: Done) -> list[int]:
    assert done.code == 0, done.err
    return [event["number"] for event in done.events("StepCached")]


def layers(vmwright: Vmwright) -> set[Path]:
    """Return the files of all layers in the home; tests before this one have left some."""
    return set((vmwright.home / "layers").glob("*/*.qcow2"))


async def counted(vhd: Path) -> list[str]:
    """Return what the steps have counted in an image."""
    root = next(part for part in (await read_table(vhd)).partitions if part.number == ROOT_PARTITION)
    return (await ExtFiles(vhd, root).read("/var/lib/counted")).decode().split()


async def test_a_second_build_takes_what_has_not_changed(
    cached: Vmwright, tmp_path: Path, ledger: Ledger
) -> None:
    page = tmp_path / "page"
    page.write_text("a page\n")
    put = {"type": "File", "name": "page", "sourceUri": page.as_uri(), "destination": "/tmp/page"}
    keep = shell("sudo cp /tmp/page /var/lib/page", COUNT.format("two"), name="keep")

    def build(last: str, out: str, *options: str) -> Done:
        template = write_template(
            tmp_path,
            put,
            keep,
            shell("sudo cp /tmp/page /var/lib/again", COUNT.format(last), name="last"),
            name="cached",
        )
        return cached(
            "build", template, "--machine", "container", "--out", tmp_path / out, "--json", *options
        )

    def vhd(out: str) -> Path:
        return tmp_path / out / "cached.vhd"

    of_others = layers(cached)
    assert taken(build("three", "first")) == []
    assert taken(build("three", "same")) == [1, 2, 3, 4]
    assert (tmp_path / "same" / "SHA256SUMS").read_text() == (tmp_path / "first" / "SHA256SUMS").read_text()
    assert taken(build("other", "changed")) == [1, 2]
    assert await counted(vhd("changed")) == ["two", "other"]

    assert taken(build("other", "fresh", "--no-cache")) == []
    async with (
        mounted(vhd("changed"), tmp_path / "one", ledger) as one,
        mounted(vhd("fresh"), tmp_path / "other", ledger) as other,
    ):
        assert differences(tree_of(one), tree_of(other)) == []

    assert len([one for one in cached.json("cache", "list") if one["kind"] == "layer"]) == 6
    first = min(layers(cached) - of_others, key=lambda path: path.stat().st_mtime_ns)
    data = bytearray(first.read_bytes())
    data[len(data) // 2] ^= 255
    first.write_bytes(data)
    done = build("other", "damaged")
    assert taken(done) == []
    assert any("damaged" in event["message"] for event in done.events("Notice"))
    assert await counted(vhd("damaged")) == ["two", "other"]

    assert cached("cache", "prune", "--all").code == 0
    assert cached.json("cache", "list") == []
    assert layers(cached) == of_others
