"""Shell scripts are parsed before a machine starts: a missing quote shows at once, not after three steps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmwright.process import run
from vmwright.template.model import Shell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vmwright.customizers.kinds import ReadyStep
    from vmwright.events import Events

SECONDS = 20.0
HEAD = 128
SHELLS = re.compile(rb"#!\s*(?:/usr)?/bin/(?:env\s+)?(?:ba|da)?sh\b")


async def warn_of_syntax_errors(steps: Sequence[ReadyStep], events: Events) -> None:
    """Warn of scripts that bash cannot parse; no error, since the guest's own shell has the last word."""
    for ready in steps:
        if isinstance(ready.step, Shell) and _is_for_a_shell(ready.file):
            parsed = await run(["bash", "-n", ready.file], timeout=SECONDS, check=False)
            if parsed.returncode != 0:
                said = parsed.stderr.decode(errors="replace").strip().replace(f"{ready.file}: ", "")
                events.warn(
                    f"The script of step {ready.number} '{ready.step.name}' has a syntax error: {said}"
                )


def _is_for_a_shell(script: Path) -> bool:
    with script.open("rb") as file:
        return SHELLS.match(file.read(HEAD)) is not None
