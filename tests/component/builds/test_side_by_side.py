"""Files for the user and what is made of the stored image are distributed side by side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.component.builds.conftest import Bench
from tests.component.builds.test_gallery_builds import managed_image
from vmwright.disks import conversion
from vmwright.disks.vhd import verify_fixed_vhd
from vmwright.errors import DistributeError, ProcessError
from vmwright.events import Outcome
from vmwright.images import open_images
from vmwright.template.model import Distributor, Vhd

if TYPE_CHECKING:
    from pathlib import Path

VHD = Vhd(path="d[0]", run_output_name="out")


@pytest.fixture
def meeting(monkeypatch: pytest.MonkeyPatch) -> asyncio.Barrier:
    """Lets conversions wait for one another: two must be under way at the same time."""
    barrier, convert = asyncio.Barrier(2), conversion.convert

    async def together(source: Path, destination: Path, **named: Any) -> None:
        async with asyncio.timeout(20):
            await barrier.wait()
        await convert(source, destination, **named)

    monkeypatch.setattr(conversion, "convert", together)
    return barrier


@pytest.mark.usefixtures("meeting")
@pytest.mark.parametrize("distribute", [(VHD, managed_image()), (managed_image(), VHD)], ids=["vhd", "image"])
async def test_a_vhd_and_a_stored_image_are_made_at_the_same_time(
    bench: Bench, distribute: tuple[Distributor, ...]
) -> None:
    result = await bench.build(distribute=distribute)
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    assert [output.name for output in result.outputs] == [one.run_output_name for one in distribute]
    verify_fixed_vhd(bench.out / "out.vhd")
    assert open_images(bench.settings, bench.database).managed.get(managed_image().image_id)
    assert bench.nothing_is_left()


async def test_the_failure_of_one_is_its_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    convert = conversion.convert

    async def full(source: Path, destination: Path, **named: Any) -> None:
        if destination.suffix == ".qcow2":
            raise ProcessError("No space left on device")
        await convert(source, destination, **named)

    monkeypatch.setattr(conversion, "convert", full)
    result = await bench.build(distribute=(managed_image(), VHD))
    assert isinstance(result.error, DistributeError)
    assert result.outcome is Outcome.PARTIALLY_SUCCEEDED
    assert [bool(output.error) for output in result.outputs] == [True, False]
    verify_fixed_vhd(bench.out / "out.vhd")
    assert bench.only_layers_are_left()
