"""How long commands that do little take, and how much memory: medians of several runs after a warm-up."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

VMWRIGHT = Path(sys.executable).parent / "vmwright"
EXAMPLE = Path(__file__).parent.parent / "examples" / "hello-linux.json"
COMMANDS = (
    ("--version",),
    ("--help",),
    ("check", str(EXAMPLE)),
    ("runs",),
    ("sources", "list"),
)
KIB_PER_MIB = 1024


@dataclass(frozen=True)
class Run:
    """One run: wall seconds, peak resident MiB."""

    seconds: float
    mib: float


def run(arguments: tuple[str, ...], home: str) -> Run:
    begun = time.perf_counter()
    process = subprocess.Popen(
        [VMWRIGHT, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "VMWRIGHT_HOME": home},
    )
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return Run(time.perf_counter() - begun, usage.ru_maxrss / KIB_PER_MIB)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as home:
        for arguments in COMMANDS:
            run(arguments, home)
        taken = {arguments: [run(arguments, home) for _ in range(runs)] for arguments in COMMANDS}
    print(f"{'command':<28} median s   min - max      MiB")
    for arguments, measured in taken.items():
        seconds = sorted(one.seconds for one in measured)
        name = f"vmwright {' '.join(Path(part).name for part in arguments)}"
        span = f"{seconds[0]:.2f} - {seconds[-1]:.2f}"
        print(f"{name:<28} {statistics.median(seconds):>8.2f}   {span}   {max(m.mib for m in measured):6.0f}")


if __name__ == "__main__":
    main()
