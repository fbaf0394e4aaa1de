"""Workers that are told to end."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.farm import Farm, counting_template, held, holders, let_go, wait_until
from tests.machine.survival.conftest import image_of

pytestmark = pytest.mark.machine

SECONDS = 60.0


def test_a_build_goes_through_workers_that_are_told_to_end(
    one_host: Farm, tmp_path: Path, is_undisturbed: Callable[[Path], None]
) -> None:
    farm, (host,) = one_host, one_host.hosts
    build = farm.submit(counting_template(tmp_path, "handed"))

    hands_over = host.start_worker(VMWRIGHT_WORKER__ON_STOP="hand-over")
    first = held("handed")
    hands_over.signal(signal.SIGTERM)
    assert hands_over.process.wait(SECONDS) == 0, hands_over.said
    row = farm.build(build)
    assert (row.run_state, row.run_sub_state, row.executor, row.attempt) == ("Running", "Queued", None, 1)
    assert holders("handed") == set()

    told_twice = host.start_worker()
    second = held("handed", without=frozenset({first}))
    told_twice.signal(signal.SIGTERM)
    wait_until(lambda: "Finishing 1 of its builds" in told_twice.said, otherwise=farm.told)
    assert holders("handed") == {second}
    told_twice.signal(signal.SIGTERM)
    assert told_twice.process.wait(SECONDS) == 0, told_twice.said
    assert farm.build(build).executor is None

    finishes = host.start_worker()
    held("handed", without=frozenset({first, second}))
    waits = farm.submit(counting_template(tmp_path, "waits"))
    finishes.signal(signal.SIGTERM)
    wait_until(lambda: "Finishing 1 of its builds" in finishes.said, otherwise=farm.told)
    let_go("handed")
    assert finishes.process.wait(SECONDS) == 0, finishes.said
    assert farm.ended(build).attempt == 3
    assert farm.build(waits).attempt == 0
    assert farm.finished_steps(build) == [(1, 1), (2, 3), (3, 3)]
    is_undisturbed(image_of(host.home, "handed"))
    cancelled = farm.command(host)("cancel", waits)
    assert cancelled.code == 0, cancelled.err

    idle = host.start_worker()
    wait_until(lambda: "takes builds" in idle.said, otherwise=farm.told)
    idle.signal(signal.SIGTERM)
    assert idle.process.wait(SECONDS) == 0, idle.said
    assert farm.left() == set()
