"""How long builds of the job take, by phase, and the memory of vmwright's own processes.

A build from nothing, one of which only the last step has changed, and one of which nothing has.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bench import job
from bench.figures import median, span, table
from bench.ours import CONTAINER, Built, Home, add_common_options
from bench.sources import prepared

if TYPE_CHECKING:
    from collections.abc import Sequence

CASES = {
    "container, no cache": (*CONTAINER, "--no-cache"),
    "last step changed": CONTAINER,
    "nothing changed": CONTAINER,
}
CHANGED = "last step changed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_options(parser, runs=3)
    options = parser.parse_args()
    folder = prepared(options)
    home = Home(folder.home)
    home.make(folder.source)
    home.build(job.template(folder, "echo 0"), *CONTAINER)
    built: dict[str, list[Built]] = {case: [] for case in CASES}
    for number in range(1, options.runs + 1):
        for case, asked in CASES.items():
            template = job.template(folder, f"echo {number if case == CHANGED else 0}")
            folder.warm()
            built[case].append(home.build(template, *asked, "--out", folder.of(f"{case} {number}")))
    print(as_text(built))


def as_text(built: dict[str, list[Built]]) -> str:
    """Return what was measured: in all, then by phase, in seconds."""
    rows = []
    for case, builds in built.items():
        seconds = [one.taken.seconds for one in builds]
        own = max(one.taken.own_mib for one in builds)
        cpu = median([one.taken.cpu_seconds for one in builds])
        rows.append([case, f"{median(seconds):.2f}", span(seconds), f"{cpu:.1f}", f"{own:.0f}"])
    head = ("", "median s", "min - max", "CPU s", "own MiB")
    phases = list(next(iter(built.values()))[0].phases)
    by_phase = [[case, *(_of_phase(builds, phase) for phase in phases)] for case, builds in built.items()]
    return f"{table(head, rows)}\n\n{table(('phase', *phases), by_phase)}"


def _of_phase(builds: Sequence[Built], phase: str) -> str:
    return f"{median([one.phases.get(phase, 0.0) for one in builds]):.2f}"


if __name__ == "__main__":
    main()
