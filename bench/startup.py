"""How long commands that do little take, and how much memory: medians of several runs after a warm-up.

Of ``check`` it tells, too, what the check itself takes, in a process that has started.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from bench.figures import median, span, table
from bench.measured import VMWRIGHT, Taken, run
from vmwright.cli.templates import read_file

EXAMPLE = Path(__file__).parent.parent / "examples" / "hello-linux.json"
COMMANDS = (
    ("--version",),
    ("--help",),
    ("check", str(EXAMPLE)),
    ("runs",),
    ("images",),
    ("sources", "list"),
)
MILLISECONDS = 1000


def check_itself() -> float:
    """Return the seconds that the first check of a process takes, once the command has started."""
    begun = time.perf_counter()
    read_file(EXAMPLE, values={}, parameters=(), name=None, for_build=False)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    checked = check_itself()
    with tempfile.TemporaryDirectory() as home:

        def once(arguments: tuple[str, ...]) -> Taken:
            return run((VMWRIGHT, *arguments), environment={"VMWRIGHT_HOME": home})

        for arguments in COMMANDS:
            once(arguments)
        taken = {arguments: [once(arguments) for _ in range(runs)] for arguments in COMMANDS}
    rows = []
    for arguments, measured in taken.items():
        seconds = [one.seconds for one in measured]
        rows.append(
            [
                f"vmwright {' '.join(Path(part).name for part in arguments)}",
                f"{median(seconds):.2f}",
                span(seconds),
                f"{median([one.cpu_seconds for one in measured]):.2f}",
                f"{max(one.largest_mib for one in measured):.0f}",
            ]
        )
    print(table(("command", "median s", "min - max", "CPU s", "MiB"), rows))
    print(f"\nthe check itself: {checked * MILLISECONDS:.1f} ms")


if __name__ == "__main__":
    main()
