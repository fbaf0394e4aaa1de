"""The page docs/performance.md: its tables, between markers, and its picture, made of the results here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from bench.growth import HEAD as GROWTH_HEAD
from bench.growth import Growth
from bench.plot import draw
from bench.results import HEAD, RATIOS, Results

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "bench" / "results" / "peers.json"
GROWTH = ROOT / "bench" / "results" / "growth.json"
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "performance.svg"


def main() -> None:
    """Write the page anew from what results there are."""
    text = PAGE.read_text()
    if PEERS.exists():
        results = Results.model_validate_json(PEERS.read_text())
        draw(results, PICTURE)
        text = between(text, "peers", peers_of(results))
    if GROWTH.exists():
        growth = Growth.model_validate_json(GROWTH.read_text())
        text = between(text, "growth", growth_of(growth))
    PAGE.write_text(text)


def between(text: str, name: str, new: str) -> str:
    """Return a text with what is between two markers replaced."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{PAGE} has no markers for {name}")
    return pattern.sub(lambda _: f"{begin}\n{new}\n{end}", text)


def peers_of(results: Results) -> str:
    """Return the comparison: when and where, the table, the ratios."""
    failures = [f"{row.name} failed: {row.failure.splitlines()[0]}" for row in results.rows if row.failure]
    ratios = []
    for name, rows in RATIOS.items():
        ratio = results.ratio(*rows)
        ratios.append([f"`{name}`", "not measured" if ratio is None else f"{ratio:.3f}"])
    parts = [
        f"![Seconds of each tool, as bars]({PICTURE.name})",
        facts_of(results.date, results.machine),
        markdown(HEAD, results.cells()),
        *failures,
        markdown(("ratio of medians", ""), ratios),
        f"Versions: {', '.join(f'{name} {version}' for name, version in results.versions.items())}.",
    ]
    return "\n\n".join(parts)


def growth_of(growth: Growth) -> str:
    """Return how costs grow: when and where, the table."""
    return f"{facts_of(growth.date, growth.machine)}\n\n{markdown(GROWTH_HEAD, growth.cells())}"


def facts_of(date: str, machine: dict[str, str]) -> str:
    """Return a sentence that says when and where figures were taken."""
    return f"{date}; {', '.join(f'{name} {value}' for name, value in machine.items())}."


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    main()
