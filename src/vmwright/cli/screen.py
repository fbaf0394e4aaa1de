"""What commands print: lines with colours on a terminal, plain text elsewhere; tables; JSON."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def say(*parts: str | tuple[str, str], err: bool = False) -> None:
    """Print a line; a part with a style (``("error: ", "bold red")``) has it on a terminal."""
    out = sys.stderr if err else sys.stdout
    if out.isatty():
        from rich.console import Console
        from rich.text import Text

        Console(stderr=err).print(Text.assemble(*parts), soft_wrap=True)
    else:
        print("".join(part if isinstance(part, str) else part[0] for part in parts), file=out)


def table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows as aligned columns, plain, so that they can be cut and grepped."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_json(value: object) -> None:
    """Print a document as indented JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
