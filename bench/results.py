"""What a comparison found, as JSON and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from bench.figures import median, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.measured import Taken

# Each ratio that is printed at the end, of the medians of two rows.
RATIOS = {
    "container/packer": ("container", "packer"),
    "vm/packer": ("vm", "packer"),
    "container/virt-customize": ("container", "virt-customize"),
    "cached-last-step/packer": ("cached-last-step", "packer"),
    "cached-all/packer": ("cached-all", "packer"),
    "overhead-over-native": ("container", "native"),
    "vm/packer-tuned": ("vm", "packer-tuned"),
}
HEAD = ("", "median s", "min", "max", "CPU s", "/packer", "largest MiB", "own MiB")
NONE = "-"


class Measured(BaseModel):
    """One run: seconds, and MiB of the largest process and of vmwright's own; or why there are none."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    largest_mib: float = 0.0
    own_mib: float = 0.0
    failure: str = ""

    @classmethod
    def of(cls, taken: Taken) -> Measured:
        """Return what is kept of a run."""
        return cls(
            seconds=round(taken.seconds, 3),
            cpu_seconds=round(taken.cpu_seconds, 3),
            largest_mib=round(taken.largest_mib, 1),
            own_mib=round(taken.own_mib, 1),
        )


class RowResult(BaseModel):
    """A row and its runs."""

    name: str
    what: str
    runs: list[Measured] = []

    @property
    def failure(self) -> str:
        """Why the row has no figure; empty where it has."""
        return next((one.failure for one in self.runs if one.failure), "" if self.runs else "not run")

    @property
    def seconds(self) -> float | None:
        """The median of all runs; a row of which one failed has none."""
        return None if self.failure else median([one.seconds for one in self.runs])


class Results(BaseModel):
    """A comparison: when, where, of what versions, and each row's runs."""

    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    rows: list[RowResult]

    def seconds(self, name: str) -> float | None:
        """Return a row's median."""
        return next((row.seconds for row in self.rows if row.name == name), None)

    def ratio(self, one: str, other: str) -> float | None:
        """Return the ratio of two rows' medians."""
        above, below = self.seconds(one), self.seconds(other)
        return above / below if above is not None and below else None

    def cells(self) -> list[list[str]]:
        """Return the table's rows, as text."""
        return [self._cells_of(row) for row in self.rows]

    def as_text(self) -> str:
        """Return the whole: what was compared, the table, failures, the ratios in the last lines."""
        facts: Mapping[str, str] = {"date": self.date, **self.machine, **self.versions}
        failures = [f"{row.name} FAILED: {row.failure}" for row in self.rows if row.failure]
        parts = [
            "\n".join(f"{name}: {value}" for name, value in facts.items()),
            table(HEAD, self.cells()),
            *(["\n\n".join(failures)] if failures else []),
            "\n".join(
                f"{name}: {_shown(self.ratio(*rows), 3, 'not measured')}" for name, rows in RATIOS.items()
            ),
        ]
        return "\n\n".join(parts)

    def _cells_of(self, row: RowResult) -> list[str]:
        if row.seconds is None:
            return [f"{row.name} ({row.what})", "FAILED", *[NONE] * (len(HEAD) - 2)]
        seconds = [one.seconds for one in row.runs]
        own = max(one.own_mib for one in row.runs)
        return [
            f"{row.name} ({row.what})",
            f"{row.seconds:.2f}",
            f"{min(seconds):.2f}",
            f"{max(seconds):.2f}",
            f"{median([one.cpu_seconds for one in row.runs]):.1f}",
            _shown(self.ratio(row.name, "packer"), 3),
            f"{max(one.largest_mib for one in row.runs):.0f}",
            f"{own:.0f}" if own else NONE,
        ]


def _shown(value: float | None, digits: int, instead: str = NONE) -> str:
    return instead if value is None else f"{value:.{digits}f}"
