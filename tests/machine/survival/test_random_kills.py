"""Real builds while workers, keepers and programs of containers are killed or stopped at random moments.

SURVIVAL_BUILDS says how many (by hand: 100 and more), SURVIVAL_SEED which random moments.
"""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from tests.farm import Farm, counting_template, wait_until
from tests.killing import Killer
from tests.queueing import row_of
from vmwright.runs.reopening import requested
from vmwright.runs.submission import submit
from vmwright.state.tables import BuildRow, RunOutputRow

pytestmark = [pytest.mark.machine, pytest.mark.slow]

BUILDS = int(os.environ.get("SURVIVAL_BUILDS", "3"))
SEED = int(os.environ.get("SURVIVAL_SEED", "4"))
STEP_SECONDS = 1.5
# What a build takes at most, killed again and again.
SECONDS_OF_A_BUILD = 120.0


@pytest.mark.timeout(300 + BUILDS * SECONDS_OF_A_BUILD)
def test_builds_survive_random_kills(
    two_hosts: Farm,
    tmp_path: Path,
    is_undisturbed: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = counting_template(tmp_path, "killed", holds=False, seconds=STEP_SECONDS)
    builds = [two_hosts.submit(file)]
    request = requested(row_of(two_hosts.database, builds[0]))
    for number in range(1, BUILDS):
        another = dataclasses.replace(request, name=f"killed{number}")
        builds.append(submit(another, two_hosts.database))
    for host in two_hosts.hosts:
        host.start_worker()
    killer = Killer(two_hosts, random.Random(SEED))  # noqa: S311 - a game
    seen: set[str] = set()

    def all_ended() -> bool:
        killer.act()
        for build in ended(two_hosts) - seen:
            seen.add(build)
            look_at(two_hosts, build, is_undisturbed)
        return seen == set(builds)

    wait_until(all_ended, within=BUILDS * SECONDS_OF_A_BUILD, otherwise=two_hosts.told)
    killer.rest()
    for host in two_hosts.hosts:
        for worker in host.workers:
            if worker.process.poll() is None:
                worker.stop()
        host.come_back()
    assert two_hosts.left() == set()
    with capsys.disabled():
        print(f"\n{BUILDS} builds, seed {SEED}: {killer.report()}")


def ended(farm: Farm) -> set[str]:
    with farm.database.session() as session:
        return set(session.scalars(select(BuildRow.id).where(BuildRow.ended_at.is_not(None))))


def look_at(farm: Farm, build: str, is_undisturbed: Callable[[Path], None]) -> None:
    """See that a build has succeeded, that each of its steps has once, and that its image is as it should."""
    row = farm.build(build)
    assert row.run_state == "Succeeded", f"{row.message}\n{farm.told()}"
    assert [number for number, _, state in farm.steps(build) if state == "Succeeded"] == [1, 2, 3]
    with farm.database.session() as session:
        uri = session.scalars(select(RunOutputRow.artifact_uri).where(RunOutputRow.build_id == build)).one()
    image = Path(urlsplit(uri or "").path)
    is_undisturbed(image)
    image.unlink()
