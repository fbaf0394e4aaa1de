"""What commands print: lines with colours on a terminal, plain text elsewhere; tables; JSON."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


# What moves the cursor, rings or hides text: guests and servers have no say in how a terminal behaves.
SEQUENCES = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,16}[@-~]|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|[@-_])?")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Return text without terminal sequences and control characters, but tabs and ends of lines."""
    return CONTROLS.sub("", SEQUENCES.sub("", text))


def say(*parts: str | tuple[str, str], err: bool = False) -> None:
    """Print a line; a part with a style (``("error: ", "bold red")``) has it on a terminal."""
    out = sys.stderr if err else sys.stdout
    parts = tuple(
        printable(part) if isinstance(part, str) else (printable(part[0]), part[1]) for part in parts
    )
    if out.isatty():
        from rich.console import Console
        from rich.text import Text

        Console(stderr=err).print(Text.assemble(*parts), soft_wrap=True)
    else:
        print("".join(part if isinstance(part, str) else part[0] for part in parts), file=out, flush=True)


def table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows as aligned columns, plain, so that they can be cut and grepped."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_json(value: object) -> None:
    """Print a document as indented JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
