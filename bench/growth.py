"""How the cost of a build grows: with the disk, its steps, its replicas, stored images, builds at once.

Each series is measured in turns over its values; what is printed is the median, and its ratio to that of the
series' first value.
"""

from __future__ import annotations

import argparse
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from bench import host
from bench.figures import median, span, table
from bench.growing import SERIES
from bench.ours import add_common_options
from bench.sources import prepared

if TYPE_CHECKING:
    from bench.growing import Growing
    from bench.job import Folder

HEAD = ("", "", "median s", "min - max", "ratio")


class Point(BaseModel):
    """A value of a series and the seconds of its runs."""

    value: int
    seconds: list[float] = []


class Series(BaseModel):
    """What grew, what was timed, and the points."""

    name: str
    what: str
    points: list[Point]


class Growth(BaseModel):
    """All series: when and where they were measured."""

    date: str
    machine: dict[str, str]
    series: list[Series]

    def cells(self) -> list[list[str]]:
        """Return a row for each value: its seconds, and their ratio to those of the series' first value."""
        rows = []
        for series in self.series:
            first = median(series.points[0].seconds)
            for point in series.points:
                seconds = median(point.seconds)
                name = f"{series.name} ({series.what})" if point is series.points[0] else ""
                rows.append(
                    [
                        name,
                        str(point.value),
                        f"{seconds:.2f}",
                        span(point.seconds),
                        f"{seconds / first:.2f}",
                    ]
                )
        return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [one.name for one in SERIES]
    add_common_options(parser, runs=3)
    parser.add_argument("--series", nargs="+", choices=names, default=names)
    parser.add_argument("--json", type=Path, help="write the results to this file, too")
    options = parser.parse_args()
    folder = prepared(options)
    found = Growth(
        date=datetime.now(UTC).date().isoformat(),
        machine=host.machine(),
        series=[measure(one, folder, options.runs) for one in SERIES if one.name in options.series],
    )
    if folder.homes.exists():  # some series have their homes elsewhere
        shutil.rmtree(folder.homes)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(found.model_dump_json(indent=2) + "\n")
    print(table(HEAD, found.cells()))


def measure(growing: Growing, folder: Folder, runs: int) -> Series:
    """Measure a series, in turns over its values."""
    points = {value: Point(value=value) for value in growing.values}
    for _ in range(runs):
        for value, point in points.items():
            point.seconds.append(round(growing.once(folder, value), 3))
    return Series(name=growing.name, what=growing.what, points=list(points.values()))


if __name__ == "__main__":
    main()
