"""How long commands that do little take, and how much memory: medians of several runs after a warm-up."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.figures import median, span, table
from bench.measured import VMWRIGHT, Taken, run

EXAMPLE = Path(__file__).parent.parent / "examples" / "hello-linux.json"
COMMANDS = (
    ("--version",),
    ("--help",),
    ("check", str(EXAMPLE)),
    ("runs",),
    ("sources", "list"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
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


if __name__ == "__main__":
    main()
