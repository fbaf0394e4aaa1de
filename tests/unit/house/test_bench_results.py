"""What a comparison prints: medians, ratios in the last lines, and no failure hidden."""

from __future__ import annotations

from bench.results import RATIOS, Measured, Results, RowResult


def results(**rows: RowResult) -> Results:
    return Results(date="2026-11-22", machine={}, versions={"packer": "1.6.6"}, rows=list(rows.values()))


def row(name: str, *seconds: float) -> RowResult:
    return RowResult(name=name, what=f"the {name}", runs=[Measured(seconds=one) for one in seconds])


def test_the_last_lines_are_the_ratios_of_medians() -> None:
    found = results(
        **{
            name: row(name, *seconds)
            for name, seconds in {
                "packer": (90.0, 100.0, 400.0),
                "packer-tuned": (80.0,),
                "virt-customize": (50.0,),
                "vm": (60.0, 58.0, 59.0),
                "container": (6.0, 7.0, 6.5),
                "native": (5.0,),
                "cached-last-step": (4.0,),
                "cached-all": (1.2346,),
            }.items()
        }
    )
    assert found.as_text().splitlines()[-len(RATIOS) :] == [
        "container/packer: 0.065",
        "vm/packer: 0.590",
        "container/virt-customize: 0.130",
        "cached-last-step/packer: 0.040",
        "cached-all/packer: 0.012",
        "overhead-over-native: 1.300",
        "vm/packer-tuned: 0.738",
    ]


def test_a_row_that_failed_once_has_no_figure_and_says_why() -> None:
    failing = row("packer", 90.0)
    failing.runs.append(Measured(failure="exit code 1\nTimeout waiting for SSH"))
    text = results(packer=failing, container=row("container", 6.0)).as_text()
    assert "packer FAILED: exit code 1\nTimeout waiting for SSH" in text
    assert "container/packer: not measured" in text
    assert "90.00" not in text


def test_a_row_that_was_not_run_is_no_zero() -> None:
    found = results(packer=row("packer"), container=row("container", 6.0))
    assert found.ratio("container", "packer") is None
    assert "packer FAILED: not run" in found.as_text()
