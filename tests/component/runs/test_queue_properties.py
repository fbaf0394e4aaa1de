"""Whatever happens to executors, and in whatever order: no build is lost, run twice at once, or starved."""

from __future__ import annotations

from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, select

from tests.queueing import change_executor, end, let_lease_end, submit, worker
from vmwright.errors import LostBuildError, VmwrightError
from vmwright.machines.machine import MachineKind
from vmwright.machines.sizes import Capacity
from vmwright.runs.capacity import left
from vmwright.runs.executors import Executor
from vmwright.runs.queue import CancelAnswer, Claim, ask_cancel, claim, claim_next, guarded, release
from vmwright.runs.turns import MOST_OVERTAKEN
from vmwright.state.database import Database
from vmwright.state.tables import BuildRow, ExecutorRow

TOTALS = st.sampled_from([Capacity(4, 8192), Capacity(8, 16384)])
ASKS = st.sampled_from([Capacity(1, 1024), Capacity(2, 4096), Capacity(7, 8192), Capacity(16, 65536)])
EXAMPLES = 60
NAMES = st.sampled_from(["web", "Web", "db", "cache", "api"])


class Executing:
    """An executor and the builds that it believes to have."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.held: dict[str, Claim] = {}

    @property
    def free(self) -> Capacity:
        return left(self.executor.offer.total, (one.granted for one in self.held.values()))


class Queue(RuleBasedStateMachine):
    """Executors that take builds, die and come back; builds that are cancelled, handed over and resumed."""

    database: ClassVar[Database]

    executors: Bundle[Executing] = Bundle("executors")
    builds: Bundle[str] = Bundle("builds")

    def __init__(self) -> None:
        super().__init__()
        _empty(self.database)
        self.attempts: dict[str, int] = {}
        self.everyone: list[Executing] = []

    def teardown(self) -> None:
        self.check_that_all_builds_come_to_their_end()

    @rule(target=executors, total=TOTALS, containers=st.booleans())
    def starts(self, total: Capacity, *, containers: bool) -> Executing:
        machines = {MachineKind.VM, MachineKind.CONTAINER} if containers else {MachineKind.VM}
        one = Executing(worker(self.database, total, machines=frozenset(machines)))
        self.everyone.append(one)
        return one

    @rule(
        target=builds,
        name=NAMES,
        ask=ASKS,
        priority=st.integers(0, 2),
        wish=st.sampled_from(["auto", "vm", "container"]),
    )
    def submitted(self, name: str, ask: Capacity, priority: int, wish: str) -> str:
        build = submit(self.database, name, ask, priority=priority, machine_wish=wish)
        self.attempts[build] = 0
        return build

    @rule(one=executors)
    def takes(self, one: Executing) -> None:
        free, declared_dead = one.free, self.is_gone(one)
        try:
            taken = claim_next(self.database, one.executor, free)
        except LostBuildError:
            assert self.is_gone(one)
            return
        if taken is None:
            return
        assert not declared_dead
        self.began(one, taken)
        assert self.running(taken.build_id) == [taken.build_id]
        if not taken.canceling:
            assert taken.granted.cpus <= free.cpus
            assert taken.granted.memory_mib <= free.memory_mib
            wish = self.row(taken.build_id).machine_wish
            assert wish == "auto" or wish in one.executor.offer.machines

    @rule(one=executors, build=builds)
    def resumes(self, one: Executing, build: str) -> None:
        try:
            taken = claim(self.database, build, one.executor)
        except LostBuildError:
            assert self.is_gone(one)
            return
        except VmwrightError:
            assert self.running(build)
            return
        if taken is not None:
            self.began(one, taken)
            assert taken.canceling or self.running(build) == [build]

    @rule(one=executors)
    def beats(self, one: Executing) -> None:
        gone = self.is_gone(one)
        assert one.executor.beat() is not gone

    @rule(one=executors)
    def is_not_heard_of(self, one: Executing) -> None:
        let_lease_end(self.database, one.executor.id)

    @rule(one=executors)
    def is_killed(self, one: Executing) -> None:
        change_executor(self.database, one.executor.id, started="0")

    @rule(one=consumes(executors))
    def goes(self, one: Executing) -> None:
        one.executor.end()

    @rule(one=executors)
    def writes(self, one: Executing) -> None:
        for build, held in list(one.held.items()):
            row = self.row(build)
            mine = (row.executor, row.attempt) == (held.executor_id, held.attempt)
            try:
                with self.database.session() as session:
                    guarded(session, held)
                assert mine
            except LostBuildError:
                assert not mine
                del one.held[build]

    @rule(one=executors)
    def hands_over(self, one: Executing) -> None:
        for build, held in list(one.held.items()):
            del one.held[build]
            if self.still_has(held):
                release(self.database, held)

    @rule(one=executors)
    def ends_its_oldest(self, one: Executing) -> None:
        for build, held in list(one.held.items())[:1]:
            del one.held[build]
            if self.still_has(held):
                end(self.database, held)

    @rule(build=builds)
    def is_to_be_cancelled(self, build: str) -> None:
        before = self.row(build)
        answer = ask_cancel(self.database, build)
        after = self.row(build)
        assert (answer is CancelAnswer.ENDED) == (before.ended_at is not None)
        assert (after.ended_at is None) == (after.run_state in {"Running", "Canceling"})
        if answer is CancelAnswer.CANCELED:
            assert (before.attempt, after.run_state) == (0, "Canceled")
        if answer in {CancelAnswer.ASKED, CancelAnswer.ASKED_BEFORE}:
            assert after.executor is not None

    @invariant()
    def nobody_has_what_another_may_write(self) -> None:
        with self.database.session() as session:
            rows = {row.id: row for row in session.scalars(select(BuildRow))}
            known = set(session.scalars(select(ExecutorRow.id)))
        assert rows.keys() == self.attempts.keys()
        for row in rows.values():
            assert row.attempt == self.attempts[row.id]
            writers = [one for one in self.everyone if self.may_write(one, row)]
            assert len(writers) <= 1
            assert row.ended_at or row.executor is None or row.executor in known

    def began(self, one: Executing, taken: Claim) -> None:
        assert taken.attempt == self.attempts[taken.build_id] + 1
        self.attempts[taken.build_id] = taken.attempt
        one.held[taken.build_id] = taken
        assert self.row(taken.build_id).executor == one.executor.id

    def check_that_all_builds_come_to_their_end(self) -> None:
        """One big executor is enough for all that waits, and none waits for ever behind others."""
        for one in self.everyone:
            one.executor.end()
        last = Executing(worker(self.database, Capacity(8, 16384), machines=frozenset(MachineKind)))
        for _ in range(len(self.attempts)):
            taken = claim_next(self.database, last.executor, last.free)
            if taken is None:
                break
            end(self.database, taken)
        assert all(self.row(build).ended_at for build in self.attempts)

    def row(self, build: str) -> BuildRow:
        with self.database.session() as session:
            return session.get_one(BuildRow, build)

    def running(self, build: str) -> list[str]:
        """Return the builds of the template of a build that executors have."""
        same = (BuildRow.key == self.row(build).key, BuildRow.ended_at.is_(None))
        with self.database.session() as session:
            return list(session.scalars(select(BuildRow.id).where(*same, BuildRow.executor.is_not(None))))

    def is_gone(self, one: Executing) -> bool:
        with self.database.session() as session:
            return session.get(ExecutorRow, one.executor.id) is None

    def still_has(self, held: Claim) -> bool:
        row = self.row(held.build_id)
        return (row.executor, row.attempt) == (held.executor_id, held.attempt)

    @staticmethod
    def may_write(one: Executing, row: BuildRow) -> bool:
        held = one.held.get(row.id)
        return held is not None and (row.executor, row.attempt) == (held.executor_id, held.attempt)


def _empty(database: Database) -> None:
    with database.session() as session:
        session.execute(delete(BuildRow))
        session.execute(delete(ExecutorRow))


def test_the_queue_keeps_its_promises(database: Database) -> None:
    queue = type("QueueOfDatabase", (Queue,), {"database": database})
    run_state_machine_as_test(
        queue,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_big_build_waits_for_ever_behind_small_ones(database: Database) -> None:
    """Two workers that always have something small to do: the big build comes after a bounded number."""
    big = submit(database, "big", Capacity(8, 16384))
    workers = [Executing(worker(database)) for _ in range(2)]
    small = (f"small-{number}" for number in range(1000))
    for _ in range(3):
        submit(database, next(small))
    for one in workers:
        for _ in range(2):
            taken = claim_next(database, one.executor, Capacity(4, 8192))
            assert taken is not None
            one.held[taken.build_id] = taken
            submit(database, next(small))
    begun = 4
    while not database_has(database, big):
        for one in workers:
            oldest = next(iter(one.held), None)
            if oldest:
                end(database, one.held.pop(oldest))
            taken = claim_next(database, one.executor, one.free)
            if taken:
                begun += 1
                one.held[taken.build_id] = taken
                submit(database, next(small))
        assert begun <= 2 * MOST_OVERTAKEN + 8


def database_has(database: Database, build: str) -> bool:
    with database.session() as session:
        return session.get_one(BuildRow, build).executor is not None
