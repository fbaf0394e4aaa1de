"""The commands about builds, on builds that are only recorded: what they print, and what they refuse."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.building import open_build
from tests.queueing import command, submit, worker
from tests.vmwright_command import Vmwright, shell, write_template
from vmwright.events import Events
from vmwright.runs.going_on import way_on
from vmwright.runs.layer import Layer
from vmwright.runs.queue import claim
from vmwright.runs.records import BuildRecords
from vmwright.runs.request import BuildRequest
from vmwright.runs.states import RunState
from vmwright.runs.submission import submit as submit_request
from vmwright.runs.waking import wake
from vmwright.settings import Settings
from vmwright.state.database import Database
from vmwright.state.host import host_id, started
from vmwright.state.resources import ResourceKind
from vmwright.state.tables import ExecutorRow
from vmwright.template import read


@pytest.fixture
def vmwright(tmp_path: Path) -> Vmwright:
    home = tmp_path / "home"
    home.mkdir()
    return Vmwright(home)


@pytest.fixture
def settings(vmwright: Vmwright) -> Settings:
    return Settings(home=vmwright.home)


def request(folder: Path, name: str = "web") -> BuildRequest:
    template = read(write_template(folder, shell("one"), shell("two")).read_bytes(), for_build=True).template
    assert template is not None
    return BuildRequest(template=template, name=name)


def test_waiting_builds_have_their_place(vmwright: Vmwright, database: Database) -> None:
    first, second = submit(database, "a"), submit(database, "b", priority=5)
    places = {run["id"]: (run["place"], run["priority"]) for run in vmwright.json("runs")}
    assert places == {first: (2, 0), second: (1, 5)}
    assert "Queued, place 1" in vmwright("runs").out


def test_a_running_build_has_its_attempt_and_host(vmwright: Vmwright, database: Database) -> None:
    executor = worker(database)
    assert claim(database, submit(database, "a"), executor) is not None
    (run,) = vmwright.json("runs")
    assert (run["attempt"], run["place"]) == (1, None)
    assert run["host"]


def test_a_cancel_by_name_is_for_the_build_that_has_not_ended(vmwright: Vmwright, database: Database) -> None:
    waits = submit(database, "web")
    submit(database, "web", ended_at=database_now(database), run_state=RunState.SUCCEEDED)
    done = vmwright("cancel", "WEB")
    assert (done.code, done.out) == (0, f"build {waits}: Canceled\n")
    again = vmwright("cancel", waits)
    assert again.code == 1
    assert f"error: Build {waits} has ended already: Canceled" in again.err


def test_a_process_that_was_stopped_goes_on_to_end_its_build(database: Database) -> None:
    with subprocess.Popen(["/usr/bin/sleep", "60"]) as process:
        executor = command(database)
        taken = claim(database, submit(database, "web"), executor)
        assert taken is not None
        with database.session() as session:
            row = session.get_one(ExecutorRow, executor.id)
            row.pid, row.started = process.pid, started(process.pid)
        assert not wake(database, taken.build_id)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        assert wake(database, taken.build_id)
        os.waitid(os.P_PID, process.pid, os.WCONTINUED)
        process.kill()


def test_a_name_that_fits_several_builds(vmwright: Vmwright, database: Database) -> None:
    for last in "12":
        submit(database, "web", id=f"abcdef00-0000-4000-8000-00000000000{last}")
    done = vmwright("logs", "abc")
    assert done.code == 1
    assert "2 builds have an id that begins with abc: abcdef00" in done.err
    assert "hint: give more of the id" in done.err
    done = vmwright("resume", "none")
    assert (done.code, "There is no build none" in done.err) == (1, True)


def test_what_cannot_be_resumed(
    vmwright: Vmwright, settings: Settings, database: Database, tmp_path: Path
) -> None:
    build = open_build(request(tmp_path), settings=settings, database=database, events=Events())
    running = vmwright("resume", build.id)
    assert running.code == 1
    assert f"Build {build.id} is running" in running.err
    assert f"vmwright cancel {build.id[:8]}" in running.err
    build.records.end(RunState.FAILED, "no")
    for step, said in (
        ("0", "There is no step 0"),
        ("99", "There is no step 99"),
        ("2", "The disk after step 1 is not there: none is kept"),
    ):
        done = vmwright("resume", build.id, "--from", step)
        assert done.code == 1
        assert said in done.err
        assert "hint: " in done.err
    done = vmwright("resume", build.id, "--set", "a=b")
    assert (done.code, "hint: add --template FILE" in done.err) == (2, True)
    done = vmwright("distribute", build.id)
    assert done.code == 3
    assert "is not finished, or not kept any longer" in done.err


def test_what_has_succeeded_is_not_gone_on_with(
    vmwright: Vmwright, settings: Settings, database: Database, tmp_path: Path
) -> None:
    build = open_build(request(tmp_path), settings=settings, database=database, events=Events())
    build.records.end(RunState.SUCCEEDED, "")
    for name in ("resume", "distribute"):
        done = vmwright(name, build.id)
        assert done.code == 1
        assert "nothing" in done.err


def test_a_template_is_built_once_at_a_time(
    vmwright: Vmwright, settings: Settings, database: Database, tmp_path: Path
) -> None:
    build = open_build(request(tmp_path, "template"), settings=settings, database=database, events=Events())
    done = vmwright("build", write_template(tmp_path, shell("true")))
    assert done.code == 1
    assert f"The template template is being built already: build {build.id}" in done.err
    assert "hint: " in done.err
    assert len(vmwright.json("runs")) == 1


def test_a_build_that_waits_is_not_resumed_beside_another_of_its_template(
    vmwright: Vmwright, settings: Settings, database: Database, tmp_path: Path
) -> None:
    waits = submit_request(request(tmp_path), database)
    build = open_build(request(tmp_path, "Web"), settings=settings, database=database, events=Events())
    done = vmwright("resume", waits)
    assert done.code == 1
    assert f"The template web is being built already: build {build.id}" in done.err
    places = {run["id"]: run["place"] for run in vmwright.json("runs")}
    assert places == {waits: 1, build.id: None}


def test_a_build_left_to_workers(vmwright: Vmwright, tmp_path: Path) -> None:
    template = write_template(tmp_path, shell("true"), name="web")
    done = vmwright(
        "build", template, "--detach", "--priority", "7", "--out", "files", "--json", cwd=tmp_path
    )
    assert done.code == 0, done.err
    (queued,) = done.events("BuildQueued")
    notices = " ".join(event["message"] for event in done.events("Notice"))
    assert f"{tmp_path}/files on the host of the worker" in notices
    assert "No worker runs" in notices
    (run,) = vmwright.json("runs")
    assert (run["id"], run["priority"], run["place"]) == (queued["build"], 7, 1)
    (kept,) = vmwright.json("templates")
    assert (kept["id"], kept["name"], kept["lastRun"]["id"]) == ("web", "web", queued["build"])
    assert kept["template"]["properties"]["distribute"]
    assert "web" in vmwright("templates").out
    done = vmwright("logs", "web")
    assert (done.code, "waits in the queue" in done.err) == (1, True)


def test_options_for_the_queue_need_the_queue(vmwright: Vmwright, tmp_path: Path) -> None:
    done = vmwright("build", write_template(tmp_path, shell("true")), "--priority", "1")
    assert done.code == 2
    assert "hint: add --detach" in done.err


def test_a_worker_on_a_host_that_can_run_nothing(vmwright: Vmwright, tmp_path: Path) -> None:
    poor = tmp_path / "bin"
    poor.mkdir()
    (poor / "env").symlink_to("/usr/bin/env")
    done = Vmwright(vmwright.home, {"PATH": str(poor), "VMWRIGHT_WORKER__CONTAINERS": "true"})("worker")
    if done.code == 0:
        pytest.fail(done.out)
    assert done.code == 3
    assert "This host can run no builds: " in done.err
    assert "vmwright doctor" in done.err


def test_a_log_is_followed_to_the_end_of_its_build(
    vmwright: Vmwright, database: Database, tmp_path: Path
) -> None:
    held = claim(database, submit(database, "web"), command(database))
    assert held is not None
    records = BuildRecords(database, held)
    log = tmp_path / "customization.log"
    log.write_bytes(b"one\n")
    records.log("customization.log", log)
    with vmwright.start("logs", "-f", "web") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "one\n"
        text = "zw\u00f6lf\n".encode()
        with log.open("ab", buffering=0) as file:
            file.write(text[:3])  # the first half of a character
            time.sleep(1.2)
            file.write(text[3:] + b"the last line has no end")
        assert process.stdout.readline() == "zw\u00f6lf\n"
        records.end(RunState.FAILED, "no")
        rest, err = process.communicate(timeout=60)
    assert (rest, process.returncode) == ("the last line has no end", 0), err


def database_now(database: Database) -> Any:
    with database.session() as session:
        return database.now(session)


def test_what_goes_on_with_a_build_is_said(settings: Settings, database: Database, tmp_path: Path) -> None:
    build = open_build(request(tmp_path), settings=settings, database=database, events=Events())
    assert way_on(database, build.id) is None
    for number, step, said in (
        (0, 1, f"`vmwright resume {build.id[:8]}` goes on from step 2"),
        (1, 2, f"`vmwright resume {build.id[:8]}` goes on behind step 2"),
        (2, 3, f"`vmwright resume {build.id[:8]}` goes on behind the finished image"),
    ):
        layer = Layer(
            number=number,
            step=step,
            host=host_id(),
            path=tmp_path / str(number),
            digest=None,
            size_bytes=1,
            deprovisioning=None,
        )
        build.records.layer_committed(layer, build.ledger.claim(ResourceKind.PATH, layer.path))
        assert way_on(database, build.id) == said
    build.records.end(RunState.PARTIALLY_SUCCEEDED, "")
    assert way_on(database, build.id) == f"`vmwright distribute {build.id[:8]}` tries again what failed"
