"""Deaths on one host, with a SQLite file: of a container's program, a worker, a command, the host itself."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.farm import NO_CACHE, PROGRAM, Farm, counting_template, held, holders, let_go, wait_until
from tests.killing import programs_of
from tests.machine.survival.conftest import image_of

pytestmark = pytest.mark.machine


def test_a_build_outlives_its_machine_and_its_worker(
    one_host: Farm, tmp_path: Path, is_undisturbed: Callable[[Path], None]
) -> None:
    farm, (host,) = one_host, one_host.hosts
    build = farm.submit(counting_template(tmp_path, "here"))
    killed = host.start_worker()
    first = held("here")
    (machine,) = [pid for pid, name in programs_of(build) if name == "systemd-nspawn"]
    os.kill(machine, signal.SIGKILL)
    second = held("here", without=frozenset({first}))
    assert farm.build(build).attempt == 1
    assert holders("here") == {second}

    spare = host.start_worker()
    wait_until(lambda: "takes builds" in spare.said, otherwise=farm.told)
    died = killed.kill()
    taken = wait_until(lambda: farm.build(build).attempt == 2, otherwise=farm.told)
    print(f"taken over after {taken - died:.1f} s")
    held("here", without=frozenset({first, second}))
    let_go("here")
    farm.ended(build)
    spare.stop()
    assert farm.finished_steps(build) == [(1, 1), (2, 2), (3, 2)]
    is_undisturbed(image_of(host.home, "here"))
    host.come_back()
    assert farm.left() == set()


def test_the_build_of_a_killed_command_is_resumed(
    one_host: Farm, tmp_path: Path, is_undisturbed: Callable[[Path], None]
) -> None:
    farm, (host,) = one_host, one_host.hosts
    command: list[str | Path] = [PROGRAM, "build", counting_template(tmp_path, "typed")]
    environment = {**os.environ, "VMWRIGHT_HOME": str(host.home), **NO_CACHE}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    ) as typed:
        before = held("typed")
        os.killpg(typed.pid, signal.SIGKILL)
    wait_until(lambda: not holders("typed"))
    vmwright = farm.command(host)
    (run,) = vmwright.json("runs")
    assert run["lastRunStatus"]["runState"] == "Failed"
    with vmwright.start("resume", run["id"]) as resumed:
        held("typed", without=frozenset({before}))
        let_go("typed")
        _, errors = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, errors
    assert farm.finished_steps(run["id"]) == [(1, 1), (2, 2), (3, 2)]
    is_undisturbed(image_of(host.home, "typed"))
    assert farm.left() == set()


def test_queued_builds_go_on_when_the_host_is_started_anew(
    one_host: Farm, tmp_path: Path, is_undisturbed: Callable[[Path], None]
) -> None:
    """A restart is simulated: namespaces end with all that is in them, the next ones have another boot id."""
    farm, (host,) = one_host, one_host.hosts
    build = farm.submit(counting_template(tmp_path, "booted"))
    host.boot()
    host.start_worker()
    before = held("booted")
    host.power_off()
    assert holders("booted") == set()
    host.boot()
    begun = time.time()
    worker = host.start_worker()
    taken = wait_until(lambda: farm.build(build).attempt == 2, otherwise=farm.told)
    print(f"taken over {taken - begun:.1f} s after the start of a worker")
    held("booted", without=frozenset({before}))
    let_go("booted")
    farm.ended(build)
    worker.signal(signal.SIGTERM)
    assert worker.process.wait(60) == 0
    assert farm.finished_steps(build) == [(1, 1), (2, 2), (3, 2)]
    is_undisturbed(image_of(host.home, "booted"))
    assert farm.left() == set()
