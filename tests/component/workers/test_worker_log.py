"""What a worker tells its operator of the builds that it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from tests.scripted import Recorder
from vmwright.builds.build import BuildResult
from vmwright.errors import BuildError
from vmwright.events import Events, Notice, Outcome
from vmwright.machines.sizes import Capacity
from vmwright.runs.queue import Claim
from vmwright.settings import Settings
from vmwright.state.database import Database
from vmwright.workers.runner import Runner
from vmwright.workers.worker import Worker

CORRELATION = "99999999-8888-7777-6666-555555555555"


class Scripted:
    """Runs builds as it is told."""

    def __init__(self, error: BuildError | None) -> None:
        self._error = error

    async def run(self, claim: Claim, _events: Events) -> BuildResult:
        if self._error:
            raise self._error
        return BuildResult(id=claim.build_id, outcome=Outcome.SUCCEEDED, log=Path("log"), seconds=1.0)


@pytest.mark.parametrize("error", [None, BuildError("It cannot")])
async def test_its_lines_about_a_build_name_the_request_that_asked_for_it(
    tmp_path: Path, recorder: Recorder, error: BuildError | None
) -> None:
    nothing = cast("Any", None)
    worker = Worker(Settings(home=tmp_path), cast("Database", nothing), Events(recorder))
    runner = cast("Runner", Scripted(error))
    for correlation in (CORRELATION, ""):
        claim = Claim(
            build_id="b",
            attempt=1,
            executor_id="e",
            granted=Capacity(1, 1024),
            correlation_id=correlation,
        )
        await worker._run(runner, claim)
    first, second = (notice.message for notice in recorder.of(Notice)[:2])
    assert first == f"Build b begins here, attempt 1 (correlation id {CORRELATION})"
    assert second.endswith(f" (correlation id {CORRELATION})")
    assert not any("correlation" in notice.message for notice in recorder.of(Notice)[2:])
