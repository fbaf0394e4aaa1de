from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vmwright import marks, process
from vmwright.errors import ProcessError


def alive(pid: str) -> bool:
    """Whether a process runs: one that nobody has waited for yet is dead all the same."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_run_returns_exit_code_and_both_streams() -> None:
    finished = await process.run(["sh", "-c", "echo out; echo err >&2"], timeout=10)
    assert (finished.returncode, finished.text, finished.stderr) == (0, "out", b"err\n")


async def test_run_feeds_bytes_and_files(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_text("from a file")
    assert (await process.run(["cat"], timeout=10, stdin=b"bytes")).stdout == b"bytes"
    assert (await process.run(["cat"], timeout=10, stdin=file)).stdout == b"from a file"


async def test_input_larger_than_a_pipe_does_not_block() -> None:
    data = os.urandom(1 << 20)
    assert (await process.run(["cat"], timeout=10, stdin=data)).stdout == data


async def test_a_program_that_ignores_its_input_is_no_error() -> None:
    assert (await process.run(["true"], timeout=10, stdin=bytes(1 << 20))).returncode == 0


async def test_failure_names_program_code_and_last_lines() -> None:
    with pytest.raises(ProcessError) as caught:
        await process.run(["sh", "-c", "seq 20 >&2; exit 3"], timeout=10)
    message = caught.value.message
    assert "sh failed with exit code 3" in message
    assert message.splitlines()[1:] == [f"    {n}" for n in range(13, 21)]


async def test_missing_program_has_a_hint() -> None:
    with pytest.raises(ProcessError, match="no-such-program is not installed") as caught:
        await process.run(["no-such-program"], timeout=10)
    assert "doctor" in (caught.value.hint or "")


async def test_time_limit_kills_the_program_and_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(ProcessError, match="did not end within"):
        await process.run(["sh", "-c", f"sleep 60 & echo $! > {pids}; wait"], timeout=0.5)
    assert not alive(pids.read_text().strip())


async def test_cancel_kills_the_program(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    task = asyncio.ensure_future(process.run(["sh", "-c", f"echo $$ > {pids}; exec sleep 60"], timeout=60))
    while not (pids.exists() and pids.read_text()):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(pids.read_text().strip())


# What it leaves behind is in a session of its own and holds all pipes, also the one that it is fed by.
LEAVING = "exec 3<&0; setsid sh -c 'echo $$ > {pid}; exec sleep 3600' 3<&3 & exec sleep 3600"


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Path]:
    """Where a program that is left behind writes its process id; it is killed at the end."""
    yield (file := tmp_path / "left")
    os.kill(int(file.read_text()), signal.SIGKILL)


@pytest.mark.parametrize("stdin", [None, bytes(1 << 20)], ids=["unfed", "fed"])
async def test_a_time_limit_does_not_wait_for_what_left_the_session(left: Path, stdin: bytes | None) -> None:
    with pytest.raises(ProcessError, match="did not end within"):
        await process.run(["sh", "-c", LEAVING.format(pid=left)], timeout=1, stdin=stdin)
    assert alive(left.read_text().strip())


async def test_a_cancel_does_not_wait_for_what_left_the_session(left: Path) -> None:
    task = asyncio.ensure_future(process.run(["sh", "-c", LEAVING.format(pid=left)], timeout=3600))
    while not (left.exists() and left.read_text()):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert alive(left.read_text().strip())


async def test_what_a_program_left_behind_is_heard_to_its_end() -> None:
    finished = await process.run(
        ["sh", "-c", "(setsid sh -c 'sleep 0.5; echo late' &) ; echo early"], timeout=60
    )
    assert finished.text == "early\nlate"


async def test_start_and_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = await process.start(["sh", "-c", "echo ready; exec sleep 60"], log=log)
    while not (log.exists() and log.read_text()):
        await asyncio.sleep(0.01)
    assert running.last_lines() == "ready"
    assert running.returncode is None
    assert await running.end() == -15


async def test_end_kills_what_does_not_listen(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "from signal import *; signal(SIGTERM, SIG_IGN); print('deaf', flush=True); pause()"
    running = await process.start([sys.executable, "-c", code], log=log)
    while not (log.exists() and log.read_text()):
        await asyncio.sleep(0.01)
    assert await running.end(grace=0.1) == -9


async def test_marked_programs_are_found_and_killed_with_their_children(tmp_path: Path) -> None:
    log = tmp_path / "log"
    argv = ["sh", "-c", "sleep 60 & echo up; wait"]
    running = await process.start(argv, log=log, env=marks.marked("token-of-this-test"))
    while not (log.exists() and log.read_text()):
        await asyncio.sleep(0.01)
    assert marks.kill_marked("token-of-another") == 0
    assert marks.kill_marked("token-of-this-test") == 2
    assert await running.wait() == -9


@pytest.mark.parametrize("program", ["cat /dev/zero", "setsid timeout 60 cat /dev/zero & wait"])
async def test_a_program_that_prints_without_end_is_stopped(
    monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(process, "MOST_OUTPUT", 1 << 20)
    with pytest.raises(ProcessError, match="printed more than 1 MiB"):
        await process.run(["sh", "-c", program], timeout=60)
