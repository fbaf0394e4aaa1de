from __future__ import annotations

from pathlib import Path

import pytest

from tests.scripted import Recorder, ScriptedTransport, ended
from vmwright.customizers.customizer import OutputLines
from vmwright.customizers.kinds import ReadyStep, fetch_step, run_step
from vmwright.errors import MachineError, UnsupportedError
from vmwright.events import Events, Level, Notice, Output, Progress, Stream
from vmwright.guests.linux import LinuxGuest
from vmwright.template.model import File, PowerShell, Shell

INLINE = Shell(name="inline", path="properties.customize[0]", inline=("A=1", "echo $A"))


@pytest.fixture
def transport() -> ScriptedTransport:
    return ScriptedTransport()


@pytest.fixture
def guest(transport: ScriptedTransport) -> LinuxGuest:
    return LinuxGuest(transport, "packer")


async def fetch(uri: str, destination: Path, *, sha256: str | None, what: str) -> Path:
    destination.write_text(f"{uri} {sha256} {what}")
    return destination


async def test_inline_lines_are_one_script_that_stops_at_the_first_failure(tmp_path: Path) -> None:
    ready = await fetch_step(INLINE, 1, fetch=fetch, folder=tmp_path)
    assert ready.file.read_text() == "#!/bin/sh -e\nA=1\necho $A\n"


async def test_script_uri_is_fetched_with_its_checksum_and_names_its_step(tmp_path: Path) -> None:
    step = Shell(name="setup", path="", script_uri="https://x/y.sh", sha256_checksum="ab" * 32)
    ready = await fetch_step(step, 3, fetch=fetch, folder=tmp_path)
    assert ready.file.read_text() == f"https://x/y.sh {'ab' * 32} script of step 3 'setup'"


async def test_shell_uploads_runs_and_removes_its_script(
    tmp_path: Path, guest: LinuxGuest, transport: ScriptedTransport, recorder: Recorder, events: Events
) -> None:
    ready = await fetch_step(INLINE, 1, fetch=fetch, folder=tmp_path)
    transport.answers[r"script_\d{4}\.sh <"] = ended(0, b"one\ntw", b"oops")
    result = await run_step(ready, guest, events)
    (said,) = transport.said
    assert result.succeeded
    assert "PACKER_BUILDER_TYPE=azure-arm PACKER_BUILD_NAME=azure-arm /tmp/script_" in said
    assert set(transport.modes.values()) == {0o755}
    assert transport.given == [ready.file.read_bytes()]
    assert not transport.files
    lines = [(event.stream, event.line) for event in recorder.of(Output)]
    assert lines == [(Stream.STDOUT, "one"), (Stream.STDOUT, "tw"), (Stream.STDERR, "oops")]


async def test_shell_failure_keeps_code_and_last_lines(
    tmp_path: Path, guest: LinuxGuest, transport: ScriptedTransport, events: Events
) -> None:
    ready = await fetch_step(INLINE, 1, fetch=fetch, folder=tmp_path)
    transport.answers[r"/tmp/script"] = ended(7, b"".join(b"line %d\n" % n for n in range(30)))
    result = await run_step(ready, guest, events)
    assert (result.succeeded, result.exit_code) == (False, 7)
    assert result.last_lines == tuple(f"line {n}" for n in range(15, 30))


async def test_a_progress_bar_leaves_its_last_state(
    tmp_path: Path, guest: LinuxGuest, transport: ScriptedTransport, recorder: Recorder, events: Events
) -> None:
    ready = await fetch_step(INLINE, 1, fetch=fetch, folder=tmp_path)
    transport.answers[r"script_\d+\.sh <"] = ended(0, b"10%\r50%\r100%\r\nnext\r\n")
    await run_step(ready, guest, events)
    assert [event.line for event in recorder.of(Output)] == ["100%", "next"]


def test_a_line_without_an_end_is_not_kept_whole(recorder: Recorder, events: Events) -> None:
    lines = OutputLines(events)
    for _ in range(100):
        lines(Stream.STDOUT, b"x" * 10_000)
    lines.flush()
    said = [event.line for event in recorder.of(Output)]
    assert "".join(said) == "x" * 1_000_000
    assert max(map(len, said)) < 100_000


async def test_a_script_that_cannot_be_executed_is_explained(
    tmp_path: Path, guest: LinuxGuest, transport: ScriptedTransport, recorder: Recorder, events: Events
) -> None:
    ready = await fetch_step(INLINE, 1, fetch=fetch, folder=tmp_path)
    transport.answers[r"/tmp/script"] = ended(126, b"", b"Permission denied\n")
    assert not (await run_step(ready, guest, events)).succeeded
    warnings = [event.message for event in recorder.of(Notice) if event.level is Level.WARNING]
    assert len(warnings) == 1
    assert "noexec" in warnings[0]


async def test_file_is_put_at_its_destination_with_progress(
    tmp_path: Path, guest: LinuxGuest, transport: ScriptedTransport, recorder: Recorder, events: Events
) -> None:
    step = File(name="page", path="", source_uri="https://x/index.html", destination="/tmp/index.html")
    ready = await fetch_step(step, 2, fetch=fetch, folder=tmp_path)
    assert (await run_step(ready, guest, events)).succeeded
    assert transport.files["/tmp/index.html"].startswith(b"https://x/index.html None file of step 2")
    assert [event.what for event in recorder.of(Progress)] == ["/tmp/index.html"]
    assert not recorder.of(Notice)


async def test_a_large_file_is_put_with_a_warning(
    tmp_path: Path, guest: LinuxGuest, recorder: Recorder, events: Events
) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(20_000_001)
    step = File(name="iso", path="", source_uri="https://x/large", destination="/tmp/large")
    await run_step(ReadyStep(1, step, large), guest, events)
    assert [event.level for event in recorder.of(Notice)] == [Level.WARNING]


async def test_what_the_guest_refuses_is_said_in_its_words(
    tmp_path: Path, guest: LinuxGuest, events: Events
) -> None:
    step = File(name="hosts", path="", source_uri="https://x/hosts", destination="/etc/hosts")
    ready = await fetch_step(step, 1, fetch=fetch, folder=tmp_path)
    with pytest.raises(MachineError, match="Permission denied"):
        await run_step(ready, guest, events)


async def test_kinds_of_windows_are_refused_by_path(tmp_path: Path) -> None:
    step = PowerShell(name="ps", path="properties.customize[4]", inline=("dir",))
    with pytest.raises(UnsupportedError) as caught:
        await fetch_step(step, 5, fetch=fetch, folder=tmp_path)
    assert caught.value.target == "properties.customize[4]"
