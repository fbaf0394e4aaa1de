"""The Shell customizer, as Packer's shell provisioner runs it in the service (reference §8.1).

The script is uploaded to /tmp as the build user, made executable and run by name, so its own shebang
counts; lines of ``inline`` become one script under ``/bin/sh -e``. Only exit code 0 is success.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from vmwright.customizers.customizer import Fetch, StepResult, run_streamed

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.events import Events
    from vmwright.guests.linux import LinuxGuest
    from vmwright.template.model import Shell

INLINE_SHEBANG = "#!/bin/sh -e"
ENVIRONMENT = "PACKER_BUILDER_TYPE=azure-arm PACKER_BUILD_NAME=azure-arm"
CANNOT_EXECUTE = 126

# One command for the upload, the run and the removal: each one more is a login more.
RUN = (
    "cat > {script} && chmod 755 {script} || exit;"
    " {environment} {script} < /dev/null; code=$?; rm -f {script}; exit $code"
)


async def fetch_script(step: Shell, number: int, *, fetch: Fetch, folder: Path) -> Path:
    """Download the step's script, or write its inline lines as one.

    :raises DownloadError: the script cannot be had, or its checksum differs.
    """
    script = folder / f"{number}.customizer.sh"
    if step.script_uri:
        what = f"script of step {number} '{step.name}'"
        return await fetch(step.script_uri, script, sha256=step.sha256_checksum, what=what)
    script.write_text("\n".join([INLINE_SHEBANG, *step.inline, ""]), encoding="utf-8")
    return script


async def run(script: Path, guest: LinuxGuest, events: Events) -> StepResult:
    """Upload a script, run it with the variables that Packer sets, remove it.

    :raises MachineError: the guest cannot be reached.
    """
    remote = f"/tmp/script_{secrets.randbelow(10_000):04d}.sh"  # noqa: S108 - where the service puts it
    events.note(f"Provisioning with shell script: {remote}")
    command = RUN.format(script=remote, environment=ENVIRONMENT)
    result = await run_streamed(command, guest, events, stdin=script)
    if result.exit_code == CANNOT_EXECUTE:
        events.warn(
            f"{remote} could not be executed: is /tmp mounted noexec, or its shebang's program missing?"
        )
    return result
