"""A layer that was made elsewhere, put under the disk of a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.component.builds.conftest import Bench, shell
from tests.scripted import ScriptedMachine
from vmwright.builds.layers import Layers
from vmwright.disks.qemu_img import DiskFormat, create_overlay
from vmwright.errors import BuildError
from vmwright.events import Outcome
from vmwright.runs.layer_files import LayerFiles
from vmwright.sources.base_disk import BaseDisk
from vmwright.state.tables import LayerRow


@pytest.fixture
async def frozen(bench: Bench, base: BaseDisk) -> Path:
    path = LayerFiles(bench.settings.home, bench.database).new()
    await create_overlay(path, backing=base.path, backing_format=DiskFormat.QCOW2)
    return path


async def test_the_machine_starts_on_it_and_it_goes_with_its_last_row(
    bench: Bench, machine: ScriptedMachine, frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore = Layers.restore
    seen: list[tuple[str, int, int]] = []

    async def adopting(layers: Layers) -> None:
        await restore(layers)
        await layers.adopt(frozen, step=1, deprovisioning=b"theirs")
        seen.extend((row.path, row.step, row.number) for row in bench.rows(LayerRow))

    monkeypatch.setattr(Layers, "restore", adopting)
    result = await bench.build(shell(1, "one"), shell(2, "two"))
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    assert seen == [(str(frozen), 1, 0)]
    assert machine.told[:2] == ["start 001.qcow2", "checkpoint 002.qcow2"]
    assert bench.nothing_is_left()


async def test_none_is_put_under_a_disk_that_is_written(
    bench: Bench, machine: ScriptedMachine, frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Layers.begin

    async def late(layers: Layers) -> Path:
        top = await begin(layers)
        with pytest.raises(BuildError, match="written already"):
            await layers.adopt(frozen, step=1)
        return top

    monkeypatch.setattr(Layers, "begin", late)
    assert (await bench.build(shell(1))).outcome is Outcome.SUCCEEDED
    assert frozen.exists()
