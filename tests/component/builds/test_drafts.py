"""A VHD or raw disk is begun while the steps run, is right in the end, and leaves nothing else."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.component.builds.conftest import SCRIPT, Bench, shell
from tests.component.builds.test_gallery_builds import managed_image
from tests.scripted import Recorder, ScriptedMachine, ScriptedTransport, ended
from vmwright.disks.flat_disk import FlatDisk
from vmwright.disks.vhd import MIB
from vmwright.distributors.draft import Draft
from vmwright.events import Notice, Outcome
from vmwright.guests.transport import Ended
from vmwright.process import run
from vmwright.sources.base_disk import BaseDisk


@pytest.fixture
async def data(base: BaseDisk) -> bytes:
    """What is on the disk of the source."""
    data = os.urandom(2 * MIB) + bytes(2 * MIB)
    raw = base.path.with_name("raw")
    raw.write_bytes(data)
    await run(["qemu-img", "convert", "-O", "qcow2", raw, base.path], timeout=60)
    return data


@pytest.fixture
def drafted(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Tells that a draft is written."""
    event, write = asyncio.Event(), FlatDisk.write

    async def told(self: FlatDisk, *args: Any, **named: Any) -> Any:
        found = await write(self, *args, **named)
        event.set()
        return found

    monkeypatch.setattr(FlatDisk, "write", told)
    return event


def hidden(bench: Bench) -> list[Path]:
    return [path for path in bench.out.iterdir() if path.name.startswith(".")]


async def test_what_a_step_changes_is_in_the_file_that_was_begun_before(
    bench: Bench,
    data: bytes,
    machine: ScriptedMachine,
    drafted: asyncio.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[list[Path]] = []

    def script(_: ScriptedTransport) -> Ended:
        seen.append(hidden(bench))
        write = ["qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 1k", str(machine.disk)]
        subprocess.run(write, check=True)
        return Ended(0)

    async def settle(*, timeout: float) -> bool:
        await drafted.wait()
        return False

    machine.transport.answers[SCRIPT] = script
    monkeypatch.setattr(machine, "settle", settle)
    taken: list[FlatDisk | None] = []
    take = Draft.take

    async def noted(self: Draft, *args: Any) -> FlatDisk | None:
        taken.append(await take(self, *args))
        return taken[-1]

    monkeypatch.setattr(Draft, "take", noted)
    result = await bench.build(shell(1))
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    assert len(seen[0]) == 1
    assert taken[0] is not None
    wanted = data[:MIB] + b"\7" * 1024 + data[MIB + 1024 :]
    assert (bench.out / "out.vhd").read_bytes()[:-512] == wanted
    assert not hidden(bench)
    assert bench.nothing_is_left()


async def test_nothing_is_left_of_it_where_a_step_fails(
    bench: Bench, data: bytes, machine: ScriptedMachine
) -> None:
    machine.transport.answers[SCRIPT] = ended(1)
    result = await bench.build(shell(1))
    assert result.outcome is Outcome.FAILED
    assert list(bench.out.iterdir()) == []
    assert bench.only_layers_are_left()


async def test_a_draft_that_fails_is_said_and_the_file_is_written_whole(
    bench: Bench, data: bytes, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, failures = FlatDisk.write, [OSError(errno.ENOSPC, "No space left on device")]

    async def once(self: FlatDisk, *args: Any, **named: Any) -> Any:
        if failures:
            raise failures.pop()
        return await write(self, *args, **named)

    monkeypatch.setattr(FlatDisk, "write", once)
    result = await bench.build(shell(1))
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    said = [event.message for event in recorder.of(Notice)]
    assert any("is written at the end only" in line and "No space left" in line for line in said)
    assert (bench.out / "out.vhd").read_bytes()[:-512] == data
    assert not hidden(bench)
    assert bench.nothing_is_left()


@pytest.mark.parametrize(("formats", "begun"), [(("qcow2",), 0), (("qcow2", "raw"), 1)])
async def test_only_files_without_tables_are_begun(
    bench: Bench,
    data: bytes,
    formats: tuple[str, ...],
    begun: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin, drafts = Draft.begin, []

    def counted(self: Draft, *args: Any) -> None:
        drafts.append(self)
        begin(self, *args)

    monkeypatch.setattr(Draft, "begin", counted)
    result = await bench.build(shell(1), distribute=(managed_image(),), formats=formats)
    assert (result.outcome, len(drafts)) == (Outcome.SUCCEEDED, begun)
    assert not hidden(bench)
