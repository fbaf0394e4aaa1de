"""events.jsonl beside the log: all that a build says, for who follows it from elsewhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.component.builds.conftest import SCRIPT, Bench, shell
from tests.scripted import ScriptedMachine, ended
from vmwright.builds.event_file import FILE_NAME, EventFile
from vmwright.builds.log import FILE_NAME as LOG
from vmwright.events import Output, Progress
from vmwright.runs.logs import logs_of, read_log
from vmwright.runs.queue import claim
from vmwright.runs.submission import submit_alone

CORRELATION = "99999999-8888-7777-6666-555555555555"


def said(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


async def test_it_has_what_the_build_says_without_secrets(bench: Bench, machine: ScriptedMachine) -> None:
    bench.events.keep_secret("pass word")
    machine.transport.answers[SCRIPT] = ended(0, b"the pass word is said\n")
    result = await bench.build(shell(1))
    data = await read_log(result.id, FILE_NAME, bench.settings, bench.database)
    assert data is not None
    told = said(data.decode())
    assert told[0] == {**told[0], "type": "BuildStarted", "build": result.id, "correlation_id": ""}
    assert {"StepStarted", "Output", "StepEnded", "Distributed"} <= {str(one["type"]) for one in told}
    assert (told[-1]["type"], told[-1]["outcome"]) == ("BuildEnded", "succeeded")
    assert "the ****** is said" in [one["line"] for one in told if one["type"] == "Output"]
    assert logs_of(bench.database, [result.id])[result.id].is_over


async def test_the_request_that_asked_for_a_build_is_named_in_its_log_and_events(bench: Bench) -> None:
    build_id = submit_alone(bench.request(shell(1)), bench.database, correlation_id=CORRELATION)
    assert build_id is not None
    result = await bench._go_on(lambda by: claim(bench.database, build_id, by))
    assert bench.run(build_id).correlation_id == CORRELATION
    first = result.log.read_text().splitlines()[0]
    assert result.log.name == LOG
    assert first == f"[{build_id}] PACKER OUT ==> azure-arm: Build {build_id}, correlation id {CORRELATION}"
    assert said(result.log.with_name(FILE_NAME).read_text())[0]["correlation_id"] == CORRELATION


def test_of_a_transfer_it_has_no_more_than_a_second_each_and_the_end(tmp_path: Path) -> None:
    file, at = EventFile(tmp_path), datetime(2026, 1, 1, tzinfo=UTC)
    for done in range(0, 101, 10):
        file(Progress(what="disk", done=done, total=100, at=at + timedelta(milliseconds=25 * done)))
    file(Output(line="then", at=at))
    file(Progress(what="other", done=1, at=at))
    file.close()
    kept = said((tmp_path / FILE_NAME).read_text())
    assert [one.get("done") for one in kept] == [0, 40, 80, 100, None, 1]


def test_of_two_transfers_at_once_it_has_no_more_of_either(tmp_path: Path) -> None:
    file, at = EventFile(tmp_path), datetime(2026, 1, 1, tzinfo=UTC)
    for done in range(0, 101, 10):
        for what in ("disk", "script"):
            file(Progress(what=what, done=done, total=100, at=at + timedelta(milliseconds=25 * done)))
    file.close()
    kept = said((tmp_path / FILE_NAME).read_text())
    assert [one["done"] for one in kept if one["what"] == "disk"] == [0, 40, 80, 100]
    assert [one["done"] for one in kept if one["what"] == "script"] == [0, 40, 80, 100]


def test_a_later_attempt_goes_on_in_it(tmp_path: Path) -> None:
    for line in ("first", "second"):
        file = EventFile(tmp_path)
        file(Output(line=line))
        file.close()
    assert [one["line"] for one in said((tmp_path / FILE_NAME).read_text())] == ["first", "second"]
