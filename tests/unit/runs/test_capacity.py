"""What builds may take of a host."""

from __future__ import annotations

import pytest

from vmwright.machines.sizes import Capacity
from vmwright.runs.capacity import asked, granted, left, offered
from vmwright.settings import WorkerSettings

HOST = Capacity(8, 16384)


@pytest.mark.parametrize(
    ("worker", "capacity"),
    [
        (WorkerSettings(), Capacity(8, 12288)),
        (WorkerSettings(cpus=3, memory_mib=4096), Capacity(3, 4096)),
        (WorkerSettings(cpus=12), Capacity(12, 12288)),
        (WorkerSettings(memory_mib=65536), Capacity(8, 16384)),
    ],
)
def test_a_worker_offers_what_is_configured_and_no_memory_that_is_not_there(
    worker: WorkerSettings, capacity: Capacity
) -> None:
    assert offered(worker, HOST) == capacity


@pytest.mark.parametrize(
    ("size", "capacity"),
    [
        ("", Capacity(2, 8192)),
        ("standard_d16s_v5", Capacity(16, 65536)),
        ("Standard_A1_v2", Capacity(1, 2048)),
        ("Standard_B1ls", Capacity(1, 1024)),
        ("Standard_Nonsense", Capacity(2, 8192)),
    ],
)
def test_a_size_asks_for_the_same_on_every_host(size: str, capacity: Capacity) -> None:
    assert asked(size) == capacity


def test_a_build_gets_what_it_asks_for_or_all_there_is() -> None:
    assert granted(Capacity(2, 8192), HOST) == Capacity(2, 8192)
    assert granted(Capacity(16, 4096), HOST) == Capacity(8, 4096)


def test_what_builds_have_is_not_free_and_there_is_never_less_than_nothing() -> None:
    assert left(HOST, []) == HOST
    assert left(HOST, [Capacity(2, 4096), Capacity(4, 8192)]) == Capacity(2, 4096)
    assert left(HOST, [Capacity(8, 4096), Capacity(4, 65536)]) == Capacity(0, 0)
