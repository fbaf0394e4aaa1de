"""The same job by each tool, in turns: a table of medians, and the ratios that count in its last lines.

Each run begins in the same state: nothing left to be written to the disk, the source disk in the page cache,
what is made once (libguestfs' appliance, vmwright's snapshot and cache) already there, and some seconds after
the files of earlier runs have gone. After each run its VHD is looked into.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench import host
from bench.images import WrongImageError, check_image
from bench.job import CallError
from bench.measured import run
from bench.ours import Home, add_common_options
from bench.results import Measured, Results, RowResult
from bench.rows import ROWS
from bench.sources import prepared

if TYPE_CHECKING:
    from bench.job import Folder
    from bench.rows import Row


# Where a hypervisor takes free memory back, memory that was freed a moment ago is much cheaper than other
# memory: a row whose files of the run before have just been removed would be given a gigabyte of it.
PAUSE_SECONDS = 6.0


def main() -> None:
    """Measure, print, write."""
    options = _options()
    folder = prepared(options)
    Home(folder.home).make(folder.source)
    rows = [row for row in ROWS if row.name in options.rows]
    results = Results(
        date=datetime.now(UTC).date().isoformat(),
        machine=host.machine(),
        versions=host.versions(),
        rows=measure(rows, folder, options.runs),
    )
    shutil.rmtree(folder.rows)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(results.model_dump_json(indent=2) + "\n")
    print(f"\n{results.as_text()}")


def measure(rows: list[Row], folder: Folder, runs: int) -> list[RowResult]:
    """Measure all rows in turns; a row that fails is not run again."""
    found = {row.name: RowResult(name=row.name, what=row.what) for row in rows}
    for row in rows:
        _say(f"preparing {row.name}")
        try:
            row.prepare(folder)
        except CallError as failure:
            found[row.name].runs.append(Measured(failure=f"cannot be prepared: {failure}"))
    for number in range(1, runs + 1):
        for row in rows:
            if found[row.name].runs and found[row.name].failure:
                continue
            measured = measure_once(row, folder, number)
            found[row.name].runs.append(measured)
            _say(f"{row.name}, run {number}: {measured.failure or f'{measured.seconds:.2f} s'}")
    return list(found.values())


def measure_once(row: Row, folder: Folder, number: int) -> Measured:
    """Run a row once, and look into what it made."""
    asked = row.ready(folder, number)
    folder.warm()
    time.sleep(PAUSE_SECONDS)
    taken = run(asked.argv, environment=asked.environment)
    measured = Measured.of(taken)
    if taken.exit_code != 0:
        measured.failure = "\n".join((f"exit code {taken.exit_code}", *taken.last_lines))
    else:
        try:
            check_image(asked.image, **asked.contents)
        except WrongImageError as error:
            measured.failure = str(error)
    return measured


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [row.name for row in ROWS]
    add_common_options(parser, runs=3)
    parser.add_argument("--rows", nargs="+", choices=names, default=names)
    parser.add_argument("--json", type=Path, help="write the results to this file, too")
    return parser.parse_args()


def _say(line: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
