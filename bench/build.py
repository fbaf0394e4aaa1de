"""How long a build takes by phase on each machine, and the peak memory of vmwright's own process."""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

VMWRIGHT = Path(sys.executable).parent / "vmwright"
MACHINES = ("container", "vm")
KIB_PER_MIB = 1024


@dataclass
class Measured:
    """One build: seconds in all and by phase, peak resident MiB of the vmwright process alone."""

    seconds: float = 0.0
    mib: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)


def build(template: Path, machine: str) -> Measured:
    measured = Measured()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        argv = [str(VMWRIGHT), "build", str(template), "--machine", machine, "--out", out, "--json"]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["type"] == "PhaseEnded":
                measured.phases[event["phase"]] = event["seconds"]
            measured.mib = max(measured.mib, peak_mib(process.pid))
        if process.wait() != 0:
            raise SystemExit(f"the build on {machine} failed")
    measured.seconds = time.perf_counter() - begun
    return measured


def peak_mib(pid: int) -> float:
    """Return the most resident memory that one process has had; its children are not counted."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / KIB_PER_MIB
    return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("template", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--machines", nargs="+", default=MACHINES, choices=MACHINES)
    asked = parser.parse_args()
    taken: dict[str, list[Measured]] = {machine: [] for machine in asked.machines}
    for _ in range(asked.runs):
        for machine in asked.machines:
            taken[machine].append(build(asked.template, machine))
    for machine, measured in taken.items():
        seconds = [one.seconds for one in measured]
        print(
            f"{machine}: median {statistics.median(seconds):.1f} s, {min(seconds):.1f} - {max(seconds):.1f}; "
            f"vmwright's own peak {max(one.mib for one in measured):.0f} MiB"
        )
        for phase in measured[0].phases:
            print(f"    {phase:<12} {statistics.median(one.phases[phase] for one in measured):6.1f} s")


if __name__ == "__main__":
    main()
