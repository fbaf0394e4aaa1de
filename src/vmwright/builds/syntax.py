"""Shell scripts are parsed before a machine starts: a missing quote shows at once, not after three steps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmwright.artifacts.together import each
from vmwright.process import run
from vmwright.template.model import Shell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vmwright.customizers.kinds import ReadyStep
    from vmwright.events import Events

SECONDS = 20.0
AT_ONCE = 4
HEAD = 128
SHELLS = re.compile(rb"#!\s*(?:/usr)?/bin/(?:env\s+)?(?:ba|da)?sh\b")


async def warn_of_syntax_errors(steps: Sequence[ReadyStep], events: Events) -> None:
    """Warn of scripts that bash cannot parse; no error, since the guest's own shell has the last word."""
    scripts = [one for one in steps if isinstance(one.step, Shell) and _is_for_a_shell(one.file)]
    faults: dict[int, str] = {}

    async def parse(ready: ReadyStep) -> None:
        parsed = await run(["bash", "-n", ready.file], timeout=SECONDS, check=False)
        if parsed.returncode != 0:
            said = parsed.stderr.decode(errors="replace").strip()
            faults[ready.number] = said.replace(f"{ready.file}: ", "")

    await each(scripts, parse, at_once=AT_ONCE)
    for ready in scripts:
        if said := faults.get(ready.number):
            events.warn(f"The script of step {ready.number} '{ready.step.name}' has a syntax error: {said}")


def _is_for_a_shell(script: Path) -> bool:
    with script.open("rb") as file:
        return SHELLS.match(file.read(HEAD)) is not None
