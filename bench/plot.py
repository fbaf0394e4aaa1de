"""The comparison as a picture: a bar for each row, with its seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from bench.results import Results

OURS, OTHERS = "#2a6fb0", "#a9a9a9"


def draw(results: Results, to: Path) -> None:
    """Write an SVG that is the same for the same results; a row without a figure is left out."""
    rows = [(row, row.seconds) for row in reversed(results.rows)]
    shown = [(row, seconds) for row, seconds in rows if seconds is not None]
    medians = [seconds for _, seconds in shown]
    colours = [OURS if row.what.startswith("vmwright") else OTHERS for row, _ in shown]
    with mpl.rc_context({"svg.hashsalt": "vmwright", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(8, 0.5 * len(shown) + 0.9), layout="constrained")
        axes = figure.add_subplot()
        axes.barh([f"{row.name}\n{row.what}" for row, _ in shown], medians, color=colours, height=0.65)
        for place, seconds in enumerate(medians):
            axes.text(seconds + max(medians) * 0.01, place, f"{seconds:.1f} s", va="center")
        axes.set_xlim(0, max(medians) * 1.12)
        axes.set_xlabel("seconds, wall time: Debian 12, one file, nginx, fixed VHD")
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(to, format="svg", metadata={"Date": None}, facecolor="white")
