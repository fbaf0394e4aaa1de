"""Which build an executor takes, on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from tests.queueing import (
    ALL,
    SMALL,
    change_executor,
    command,
    end,
    let_lease_end,
    row_of,
    submit,
    worker,
)
from vmwright.errors import LostBuildError, VmwrightError
from vmwright.machines.machine import MachineKind
from vmwright.machines.sizes import Capacity
from vmwright.runs.executors import Executor, living
from vmwright.runs.queue import (
    CancelAnswer,
    Claim,
    ask_cancel,
    claim,
    claim_next,
    guarded,
    held_by,
    release,
    taking,
    waiting,
)
from vmwright.runs.queue import take as take_certain
from vmwright.runs.states import RunState, RunSubState
from vmwright.runs.turns import MOST_OVERTAKEN
from vmwright.settings import Settings
from vmwright.state.database import Database, open_database
from vmwright.state.tables import BuildRow

NOTHING = Capacity(0, 0)
BIG = Capacity(6, 4096)


def take(database: Database, executor: Executor, free: Capacity = ALL) -> Claim:
    taken = claim_next(database, executor, free)
    assert taken is not None
    return taken


def take_all(database: Database, executor: Executor) -> list[str]:
    """Take and end builds until none waits; return their ids in order."""
    ids = []
    while taken := claim_next(database, executor, ALL):
        ids.append(taken.build_id)
        end(database, taken)
    return ids


def reopen(database: Database, build: str, executor: Executor) -> Claim:
    with taking(database, executor) as session:
        return take_certain(session, database, session.get_one(BuildRow, build), executor)


def test_what_is_taken_is_building_and_nobody_elses(database: Database) -> None:
    build, one, two = submit(database, "web"), worker(database), worker(database)
    taken = take(database, one)
    assert taken == Claim(build_id=build, attempt=1, executor_id=one.id, granted=SMALL)
    assert taken.previous_attempt is None
    row = row_of(database, build)
    assert (row.executor, row.attempt) == (one.id, 1)
    assert (row.run_state, row.run_sub_state) == (RunState.RUNNING, RunSubState.BUILDING)
    assert claim_next(database, two, ALL) is None
    assert claim(database, build, two) is None


def test_priority_goes_first_then_templates_take_turns_then_age(database: Database) -> None:
    one = worker(database)
    web = [submit(database, "web") for _ in range(3)]
    db = [submit(database, name) for name in ("db", "DB")]
    urgent = submit(database, "web", priority=5)
    assert set(waiting(database)) == {urgent, *web, *db}
    assert waiting(database)[0] == urgent
    # the template of the urgent build has had its turn by then
    assert take_all(database, one) == [urgent, db[0], web[0], db[1], web[1], web[2]]


def test_templates_that_are_new_all_the_time_do_not_keep_others_off(database: Database) -> None:
    one = worker(database)
    golden = [submit(database, "golden") for _ in range(2)]
    first = take(database, one)
    end(database, first)
    with database.session() as session:
        now = database.now(session)
    later = [submit(database, f"new-{number}", started_at=now) for number in range(3)]
    assert take_all(database, one) == [golden[1], *sorted(later)]


def test_one_build_of_a_template_runs_at_a_time_whatever_the_case_of_its_name(database: Database) -> None:
    one, two, cli = worker(database), worker(database), command(database)
    first, second = submit(database, "web"), submit(database, "Web")
    held = take(database, one)
    assert held.build_id == first
    assert claim_next(database, two, ALL) is None
    outside = submit(database, "WEB", queued=False)
    with pytest.raises(VmwrightError, match=f"is being built already: build {first}"):
        claim(database, outside, cli)
    end(database, held)
    own = claim(database, outside, cli)
    assert own is not None
    with pytest.raises(VmwrightError, match=f"is being built already: build {outside}"):
        claim(database, second, one)
    assert claim_next(database, two, ALL) is None
    end(database, own)
    assert take(database, two).build_id == second


def test_builds_outside_the_queue_are_not_taken_from_it(database: Database) -> None:
    submit(database, "web", queued=False)
    assert claim_next(database, worker(database), ALL) is None


@pytest.mark.parametrize(
    ("build", "able", "unable"),
    [
        ({"machine_wish": "container"}, {"machines": {MachineKind.VM, MachineKind.CONTAINER}}, {}),
        ({"machine_wish": "vm"}, {}, {"machines": {MachineKind.CONTAINER}}),
        ({"architecture": "Arm64"}, {"architecture": "Arm64"}, {}),
        ({"needs_kvm": True}, {"kvm": True}, {}),
    ],
)
def test_a_build_is_left_to_those_that_can_run_it(
    database: Database, build: dict[str, Any], able: dict[str, Any], unable: dict[str, Any]
) -> None:
    other = submit(database, "web", **build)
    assert claim_next(database, worker(database, **unable), ALL) is None
    assert take(database, worker(database, **able)).build_id == other


def test_what_is_too_big_for_a_worker_is_left_to_one_that_has_enough(database: Database) -> None:
    huge = submit(database, "web", Capacity(16, 65536))
    small, middle, big = (worker(database, Capacity(n, n * 4096)) for n in (4, 8, 16))
    assert claim_next(database, small, small.offer.total) is None
    assert claim_next(database, middle, middle.offer.total) is None
    assert take(database, big, big.offer.total).granted == Capacity(16, 65536)
    assert row_of(database, huge).executor == big.id


def test_what_is_too_big_for_all_workers_gets_all_of_the_biggest(database: Database) -> None:
    submit(database, "web", Capacity(16, 65536))
    small, middle = (worker(database, Capacity(n, n * 4096)) for n in (4, 8))
    assert claim_next(database, small, small.offer.total) is None
    assert claim_next(database, middle, Capacity(7, 8 * 4096)) is None
    assert take(database, middle, middle.offer.total).granted == Capacity(8, 32768)


def test_a_bigger_worker_counts_only_if_it_could_run_the_build_and_takes_builds_on(
    database: Database,
) -> None:
    submit(database, "web", Capacity(16, 65536))
    small = worker(database, Capacity(4, 16384))
    worker(database, Capacity(16, 65536), architecture="Arm64")
    assert worker(database, Capacity(16, 65536)).drain()
    assert take(database, small, small.offer.total).granted == Capacity(4, 16384)


def test_no_more_is_taken_than_is_free(database: Database) -> None:
    one = worker(database)
    build = submit(database, "web", Capacity(2, 8192))
    assert claim_next(database, one, Capacity(1, 16384)) is None
    assert claim_next(database, one, Capacity(8, 8191)) is None
    assert take(database, one, Capacity(2, 8192)).build_id == build


def test_a_big_build_is_overtaken_a_bounded_number_of_times_and_room_is_made_by_one_worker(
    database: Database,
) -> None:
    one, two = worker(database), worker(database)
    big = submit(database, "big", BIG)
    for number in range(MOST_OVERTAKEN + 2):
        submit(database, f"small-{number}")
    half = Capacity(4, 16384)
    for _ in range(MOST_OVERTAKEN):
        end(database, take(database, one, half))
    # one makes room now; two needs not, and goes on
    assert claim_next(database, one, half) is None
    assert row_of(database, big).held_by == one.id
    end(database, take(database, two, half))
    assert claim_next(database, one, half) is None
    assert take(database, one).build_id == big
    assert (row_of(database, big).held_by, row_of(database, big).overtaken) == (None, 0)


@pytest.mark.parametrize("gone", ["dead", "draining"])
def test_room_that_is_not_made_any_more_is_made_by_another(database: Database, gone: str) -> None:
    one, two = worker(database), worker(database)
    big = submit(database, "big", BIG, overtaken=MOST_OVERTAKEN)
    submit(database, "small")
    half = Capacity(4, 16384)
    assert claim_next(database, one, half) is None
    if gone == "dead":
        let_lease_end(database, one.id)
    else:
        assert one.drain()
    assert claim_next(database, two, half) is None
    assert row_of(database, big).held_by == two.id


def test_who_has_enough_room_takes_a_build_that_another_makes_room_for(database: Database) -> None:
    one, two = worker(database), worker(database)
    big = submit(database, "big", BIG, overtaken=MOST_OVERTAKEN)
    assert claim_next(database, one, Capacity(4, 16384)) is None
    assert take(database, two).build_id == big


def test_the_builds_of_the_dead_go_first_with_a_new_attempt(database: Database) -> None:
    one, two, three = (worker(database) for _ in range(3))
    begun = submit(database, "web")
    lost = take(database, one)
    submit(database, "urgent", priority=9)
    let_lease_end(database, one.id)
    taken = take(database, two)
    assert (taken.build_id, taken.attempt, taken.previous_attempt) == (begun, 2, 1)
    assert take(database, three).build_id != begun
    assert not one.beat()
    with pytest.raises(LostBuildError), database.session() as session:
        guarded(session, lost)
    with pytest.raises(LostBuildError):
        release(database, lost)
    with pytest.raises(LostBuildError):
        claim_next(database, one, ALL) or claim(database, submit(database, "more"), one)


def test_a_build_of_the_dead_is_not_theirs_before_it_is_taken(database: Database) -> None:
    one, two = worker(database), worker(database)
    submit(database, "web")
    lost = take(database, one)
    let_lease_end(database, one.id)
    assert claim_next(database, two, NOTHING) is None
    assert row_of(database, lost.build_id).run_sub_state == RunSubState.QUEUED
    with pytest.raises(LostBuildError), database.session() as session:
        guarded(session, lost)


def test_an_interrupted_build_outside_the_queue_waits_for_who_resumes_it(database: Database) -> None:
    first, second = command(database), command(database)
    build = submit(database, "web", queued=False)
    assert claim(database, build, first)
    change_executor(database, first.id, started="another")
    assert claim_next(database, worker(database), ALL) is None
    resumed = claim(database, build, second)
    assert resumed is not None
    assert (resumed.attempt, resumed.previous_attempt) == (2, 1)


def test_a_build_that_has_ended_is_taken_only_to_run_again(database: Database) -> None:
    one, two, three = (command(database) for _ in range(3))
    build = submit(database, "web", queued=False)
    held = claim(database, build, one)
    assert held is not None
    assert ask_cancel(database, build) is CancelAnswer.ASKED
    end(database, held)
    assert claim(database, build, two) is None
    again = reopen(database, build, two)
    assert (again.attempt, again.canceling) == (2, False)
    row = row_of(database, build)
    assert (row.ended_at, row.cancel_asked_at, row.run_state, row.message) == (
        None,
        None,
        RunState.RUNNING,
        "",
    )
    with pytest.raises(VmwrightError, match="is running"):
        reopen(database, build, three)


def test_a_build_that_is_handed_over_goes_on_elsewhere(database: Database) -> None:
    one, two = worker(database), worker(database)
    submit(database, "web")
    held = take(database, one)
    release(database, held)
    assert row_of(database, held.build_id).run_sub_state == RunSubState.QUEUED
    submit(database, "db", priority=3)
    taken = take(database, two)
    assert (taken.build_id, taken.previous_attempt) == (held.build_id, held.attempt)
    with pytest.raises(LostBuildError), database.session() as session:
        guarded(session, held)


def test_a_waiting_build_is_cancelled_at_once(database: Database) -> None:
    build = submit(database, "web")
    assert ask_cancel(database, build) is CancelAnswer.CANCELED
    row = row_of(database, build)
    assert (row.run_state, row.run_sub_state) == (RunState.CANCELED, None)
    assert row.ended_at is not None
    assert claim_next(database, worker(database), ALL) is None
    assert ask_cancel(database, build) is CancelAnswer.ENDED
    assert ask_cancel(database, "no-such") is CancelAnswer.ENDED


def cancels(database: Database, executor: Executor) -> set[str]:
    return {claim.build_id for claim in held_by(database, executor.id) if claim.canceling}


def test_a_running_build_is_canceling_until_its_executor_ends_it(database: Database) -> None:
    one = worker(database)
    build, _ = submit(database, "web"), submit(database, "db")
    held, other = take(database, one), take(database, one)
    assert cancels(database, one) == set()
    assert ask_cancel(database, build) is CancelAnswer.ASKED
    assert ask_cancel(database, build) is CancelAnswer.ASKED_BEFORE
    row = row_of(database, build)
    assert (row.run_state, row.run_sub_state) == (RunState.CANCELING, None)
    assert row.message == "Canceling image build"
    assert cancels(database, one) == {build}
    assert {claim.build_id: claim.attempt for claim in held_by(database, one.id)} == {
        held.build_id: 1,
        other.build_id: 1,
    }
    end(database, held)
    assert cancels(database, one) == set()


def test_a_cancel_that_its_executor_did_not_live_to_see_is_seen_to_at_once(database: Database) -> None:
    one, full = worker(database), worker(database, architecture="Arm64")
    build = submit(database, "web")
    take(database, one)
    assert ask_cancel(database, build) is CancelAnswer.ASKED
    let_lease_end(database, one.id)
    # by a worker that could not run it and has no room, as it only has to clean up
    taken = take(database, full, NOTHING)
    assert (taken.build_id, taken.canceling, taken.granted) == (build, True, NOTHING)
    assert row_of(database, build).run_state == RunState.CANCELING


def test_a_build_is_cleaned_up_while_another_of_its_template_runs(database: Database) -> None:
    one, two, cli = worker(database), worker(database), command(database)
    build, _ = submit(database, "web"), submit(database, "web")
    take(database, one)
    let_lease_end(database, one.id)
    living(database)
    with database.session() as session:
        session.get_one(BuildRow, build).queued = False
    take(database, two)
    assert ask_cancel(database, build) is CancelAnswer.UNOWNED
    taken = claim(database, build, cli)
    assert taken is not None
    assert taken.canceling


def test_who_cancels_what_nobody_has_any_more_takes_it(database: Database) -> None:
    one, cli = worker(database), command(database)
    build = submit(database, "web")
    take(database, one)
    let_lease_end(database, one.id)
    assert ask_cancel(database, build) is CancelAnswer.UNOWNED
    taken = claim(database, build, cli)
    assert taken is not None
    assert taken.canceling
    end(database, taken)
    assert row_of(database, build).run_state == RunState.CANCELED


def test_a_poll_reads_nothing_of_builds_but_their_indexes(tmp_path: Path) -> None:
    """A row of ``builds`` has big documents in it: none is read to see whose turn it is."""
    database = open_database(Settings(home=tmp_path))
    one = worker(database)
    submit(database, "web", architecture="Arm64")
    statements: list[tuple[str, Any]] = []
    event.listen(
        database._engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, parameters, *_: statements.append((statement, parameters)),
    )
    assert claim_next(database, one, Capacity(1, 1)) is None
    assert held_by(database, one.id) == ()
    with database._engine.connect() as connection:
        plans = [
            str(row[3])
            for statement, parameters in tuple(statements)
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    database.close()
    reads = [plan for plan in plans if plan.startswith(("SCAN builds", "SEARCH builds"))]
    assert len(reads) > 3
    assert [plan for plan in reads if "COVERING INDEX" not in plan and "ix_builds_executor" not in plan] == []
    assert [plan for plan in plans if plan.startswith("SCAN builds")] == []
