from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from vmwright import marks, process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLEEP = shutil.which("sleep") or ""
OWNER = "1234567.89.00000000-0000-0000-0000-000000000000"  # above the kernel's largest process id


@pytest.fixture
def programs() -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Programs that carry something: a mark, or what merely looks like one."""
    variables = {
        "owned": ("VMWRIGHT_OWNER", OWNER),
        "another's": ("VMWRIGHT_OWNER", f"{OWNER}0"),
        "longer": ("VMWRIGHT_OWNERS", OWNER),
        "prefixed": ("MY_VMWRIGHT_OWNER", OWNER),
        "quoting": ("NOTE", f"VMWRIGHT_OWNER={OWNER}"),
        "marked": ("VMWRIGHT_RESOURCE", "a-token-of-this-test"),
    }
    started = {
        name: subprocess.Popen([SLEEP, "60"], env={**os.environ, variable: value})
        for name, (variable, value) in variables.items()
    }
    yield started
    for program in started.values():
        program.kill()
        program.wait()


def test_only_carriers_of_the_very_mark_are_killed(programs: dict[str, subprocess.Popen[bytes]]) -> None:
    assert marks.kill_owned() == marks.kill_marked() == 0
    assert marks.kill_owned(OWNER) == 1
    assert programs["owned"].wait() == -9
    assert marks.kill_marked("a-token-of-this-test", "another") == 1
    assert programs["marked"].wait() == -9
    left = {name for name, program in programs.items() if program.poll() is None}
    assert left == {"another's", "longer", "prefixed", "quoting"}


async def test_every_program_carries_its_owner(tmp_path: Path) -> None:
    asked = await process.run(["sh", "-c", "sh -c 'echo $VMWRIGHT_OWNER'"], timeout=10)
    assert asked.text == marks.own_token()
    log = tmp_path / "log"
    running = await process.start(["sh", "-c", "echo $VMWRIGHT_OWNER"], log=log)
    await running.wait()
    assert log.read_text().strip() == marks.own_token()


async def test_programs_of_another_process_have_another_owner() -> None:
    code = "from vmwright import marks; print(marks.own_token())"
    first, second = [(await process.run([sys.executable, "-c", code], timeout=30)).text for _ in range(2)]
    assert len({first, second, marks.own_token()}) == 3


async def test_what_a_killed_program_starts_meanwhile_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    breeding = "echo up; while true; do sleep 60 & sleep 0.001; done"
    running = await process.start(["sh", "-c", breeding], log=log, env=marks.marked("breeding-token"))
    while not log.read_text():
        await asyncio.sleep(0.01)
    assert marks.kill_marked("breeding-token") >= 1
    assert await running.wait() == -9
    async with asyncio.timeout(10):
        while marks.kill_marked("breeding-token"):  # those that are still dying count
            await asyncio.sleep(0.01)
