"""How executors are known to live, on both databases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import select

from tests.queueing import ALL, change_executor, command, let_lease_end, offer, row_of, submit, worker
from vmwright.machines.machine import MachineKind
from vmwright.runs.capacity import architecture
from vmwright.runs.executors import Executor, ExecutorKind, Lease, Offer, living
from vmwright.runs.queue import claim, claim_next
from vmwright.state.database import Database
from vmwright.state.host import boot_id, host_id, started
from vmwright.state.tables import ExecutorRow


def living_ids(database: Database) -> set[str]:
    alive = {row.id for row in living(database)}
    with database.session() as session:
        assert alive == set(session.scalars(select(ExecutorRow.id)))
    return alive


def be(database: Database, executor: Executor, pid: int) -> None:
    """Make an executor that of another process."""
    change_executor(database, executor.id, pid=pid, started=started(pid))


def test_an_executor_is_recorded_with_what_it_offers(database: Database) -> None:
    given = Offer.of_this_host(frozenset({MachineKind.VM, MachineKind.CONTAINER}), ALL, kvm=True)
    one = Executor.register(database, ExecutorKind.WORKER, given)
    (row,) = living(database)
    assert (row.id, row.kind, row.host, row.pid) == (one.id, "worker", host_id(), os.getpid())
    assert (row.started, row.boot_id) == (started(os.getpid()), boot_id())
    assert (row.machines, row.architecture, row.kvm) == (["container", "vm"], architecture(), True)
    assert (row.cpus, row.memory_mib, row.state) == (ALL.cpus, ALL.memory_mib, "active")
    assert worker(database).id != one.id


def test_an_executor_lives_by_its_beat(database: Database) -> None:
    short = Executor.register(database, ExecutorKind.WORKER, offer(), lease=Lease(ttl=0, beat=1))
    long = worker(database)
    before = {row.id: row.lease_until for row in living(database)}
    assert set(before) == {long.id}
    assert long.beat()
    assert living(database)[0].lease_until > before[long.id]
    assert not short.beat()
    assert not short.drain()


def test_a_beat_that_comes_late_but_in_time_counts(database: Database) -> None:
    one = worker(database)
    let_lease_end(database, one.id)
    assert one.beat()
    assert living_ids(database) == {one.id}


def test_a_process_that_is_gone_is_dead_at_once_on_its_own_host_only(database: Database) -> None:
    one, elsewhere = worker(database), worker(database)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        be(database, one, process.pid)
        be(database, elsewhere, process.pid)
        change_executor(database, elsewhere.id, host="another")
        assert living_ids(database) == {one.id, elsewhere.id}
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        # a zombie: nobody has waited for it
        assert living_ids(database) == {elsewhere.id}
    let_lease_end(database, elsewhere.id)
    assert living_ids(database) == set()


@pytest.mark.parametrize("changed", [{"started": "1"}, {"boot_id": "another"}])
def test_a_pid_that_another_process_has_and_another_boot_are_seen(
    database: Database, changed: dict[str, str]
) -> None:
    change_executor(database, worker(database).id, **changed)
    assert living_ids(database) == set()


def test_a_stopped_process_is_dead_by_its_lease_only(database: Database) -> None:
    one = worker(database)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        be(database, one, process.pid)
        os.kill(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        assert living_ids(database) == {one.id}
        let_lease_end(database, one.id)
        assert living_ids(database) == set()
        process.kill()


def test_what_an_executor_leaves_at_its_end_is_for_others(database: Database) -> None:
    one, two, cli = worker(database), worker(database), command(database)
    queued, own = submit(database, "web"), submit(database, "db", queued=False)
    assert claim_next(database, one, ALL)
    assert claim(database, own, one)
    one.end()
    one.end()
    assert (row_of(database, queued).executor, row_of(database, queued).run_sub_state) == (None, "Queued")
    taken = claim_next(database, two, ALL)
    assert taken is not None
    assert (taken.build_id, taken.attempt) == (queued, 2)
    assert claim(database, own, cli)


def test_the_order_of_executors_is_that_of_their_start(database: Database) -> None:
    ids = []
    for _ in range(3):
        ids.append(worker(database).id)
        time.sleep(0.002)
    assert [row.id for row in living(database)] == ids
