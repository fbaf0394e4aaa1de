"""The kinds of distributors that this version knows: a new one is one module and one case here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.distributors import managed_image, shared_image, vhd
from vmwright.distributors.distributor import RunOutput
from vmwright.distributors.export import export
from vmwright.errors import LostBuildError, VmwrightError
from vmwright.events import Distributed, Outcome
from vmwright.template.model import Distributor, ManagedImage, SharedImage, Vhd

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from vmwright.distributors.distributor import Destinations
    from vmwright.distributors.finished_image import FinishedImage

FILE = "File"


async def distribute(distributor: Distributor, image: FinishedImage, destinations: Destinations) -> RunOutput:
    """Run one distributor; where it fails, its output carries the error and nothing else is undone.

    :raises LostBuildError: another executor has the build.
    """
    work = _one(distributor, image, destinations)
    return await _attempt(work, distributor.run_output_name, distributor.kind, destinations)


async def export_as(ending: str, name: str, image: FinishedImage, destinations: Destinations) -> RunOutput:
    """Write the image as a further file; it is reported as a distributor's output is.

    :raises LostBuildError: another executor has the build.
    """
    return await _attempt(_file(name, ending, image, destinations), f"{name}.{ending}", FILE, destinations)


async def _attempt(work: Awaitable[RunOutput], name: str, kind: str, destinations: Destinations) -> RunOutput:
    try:
        output = await work
    except LostBuildError:
        raise
    except (VmwrightError, OSError) as error:
        output = RunOutput(name=name, kind=kind, error=destinations.events.redact(str(error)))
    destinations.events.say(
        Distributed(
            run_output=output.name,
            kind=output.kind,
            outcome=Outcome.FAILED if output.error else Outcome.SUCCEEDED,
            artifact=output.artifact,
            error=output.error,
        )
    )
    return output


async def _one(distributor: Distributor, image: FinishedImage, destinations: Destinations) -> RunOutput:
    match distributor:
        case Vhd():
            return await vhd.distribute(distributor, image, destinations)
        case ManagedImage():
            return await managed_image.distribute(distributor, image, destinations)
        case SharedImage():
            return await shared_image.distribute(distributor, image, destinations)


async def _file(name: str, ending: str, image: FinishedImage, destinations: Destinations) -> RunOutput:
    written = await export(image, name, ending, destinations)
    return RunOutput(name=f"{name}.{ending}", kind=FILE, artifact_uri=written.path.as_uri())
