"""Builds whose worker is killed or stopped: a worker of another host goes on, from the last finished step."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.farm import PATIENCE, Farm, counting_template, held, holders, let_go, wait_until
from tests.machine.survival.conftest import image_of, shared_farm
from tests.object_servers import started_azurite
from tests.postgres import PostgreSQL
from vmwright.workers.runner import MARGIN_SECONDS

pytestmark = pytest.mark.machine

TAKEN_WITHIN = 30.0


@pytest.fixture
def on_azurite(
    tmp_path: Path, debian_disk: Path, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Farm]:
    """Two hosts with a PostgreSQL and an Azurite."""
    (data := tmp_path / "azurite").mkdir()
    with started_azurite(data) as azurite:
        monkeypatch.setenv("SSL_CERT_FILE", str(azurite.ca))
        azurite.make_container()
        with shared_farm(tmp_path, debian_disk, postgresql, azurite.store("farm")) as farm:
            yield farm


def test_another_host_goes_on_with_the_build_of_a_dead_worker(
    on_azurite: Farm, tmp_path: Path, is_undisturbed: Callable[[Path], None]
) -> None:
    farm = on_azurite
    first, second = farm.hosts
    moved = farm.submit(counting_template(tmp_path, "moved"))
    killed = first.start_worker()
    before = held("moved")
    other = farm.submit(counting_template(tmp_path, "other", holds=False))
    spare = second.start_worker()
    farm.ended(other)
    assert farm.build(moved).attempt == 1

    died = killed.kill()
    taken = wait_until(lambda: farm.build(moved).attempt == 2, otherwise=farm.told)
    held("moved", without=frozenset({before}))
    print(f"taken over after {taken - died:.1f} s, in its step again after {time.time() - died:.1f} s")
    assert taken - died < TAKEN_WITHIN
    let_go("moved")
    farm.ended(moved)
    assert farm.worker_log_of(moved) == spare.log
    assert farm.finished_steps(moved) == [(1, 1), (2, 2), (3, 2)]
    spare.stop()
    is_undisturbed(image_of(second.home, "moved"))
    is_undisturbed(image_of(second.home, "other"))

    first.come_back()
    assert farm.left() == set()
    log = farm.command(first)("logs", moved)
    assert log.code == 0, log.err
    assert [log.out.count(f"Step {number} of 3") for number in (1, 2, 3)] == [1, 1, 1]


def test_a_worker_that_was_stopped_does_no_harm(
    two_hosts: Farm, tmp_path: Path, is_undisturbed: Callable[[Path], None]
) -> None:
    farm = two_hosts
    first, second = farm.hosts
    build = farm.submit(counting_template(tmp_path, "paused"))
    stopped = first.start_worker()
    before = held("paused")
    spare = second.start_worker()
    wait_until(lambda: "takes builds" in spare.said, otherwise=farm.told)

    stopped.signal(signal.SIGSTOP)
    ended = wait_until(lambda: not holders("paused"))
    assert farm.build(build).attempt == 1, "its machine runs while another worker may have the build"
    taken = wait_until(lambda: farm.build(build).attempt == 2, otherwise=farm.told)
    assert ended < taken
    after = held("paused", without=frozenset({before}))

    stopped.signal(signal.SIGCONT)
    wait_until(lambda: stopped.said.count("takes builds") == 2, otherwise=farm.told)
    assert "has been declared dead" in stopped.said
    assert "Traceback" not in stopped.said
    assert holders("paused") == {after}
    assert (farm.build(build).attempt, farm.build(build).ended_at) == (2, None)
    let_go("paused")
    farm.ended(build)
    spare.stop()
    assert farm.finished_steps(build) == [(1, 1), (2, 2), (3, 2)]
    is_undisturbed(image_of(second.home, "paused"))

    farm.ended(next_build := farm.submit(counting_template(tmp_path, "next", holds=False)))
    assert farm.worker_log_of(next_build) == stopped.log
    stopped.stop()
    first.come_back()
    assert farm.left() == set()


def test_a_command_that_is_stopped_for_long_leaves_its_build_to_others(
    two_hosts: Farm, tmp_path: Path, is_undisturbed: Callable[[Path], None]
) -> None:
    farm = two_hosts
    first, second = farm.hosts
    template = counting_template(tmp_path, "command")
    stopped = second.start_command("build", str(template))
    before = held("command")
    (build,) = farm.unfinished()
    stopped.signal(signal.SIGSTOP)
    wait_until(lambda: not holders("command"))
    time.sleep(MARGIN_SECONDS + 1.0)  # its lease ends after its machine

    resumed = first.start_command("resume", build)
    held("command", without=frozenset({before}))
    stopped.signal(signal.SIGCONT)
    assert stopped.process.wait(TAKEN_WITHIN) != 0
    assert "Traceback" not in stopped.said
    let_go("command")
    assert resumed.process.wait(PATIENCE) == 0, resumed.said
    assert farm.finished_steps(build) == [(1, 1), (2, 2), (3, 2)]
    is_undisturbed(image_of(first.home, "command"))

    second.come_back()
    assert farm.left() == set()
