"""``vmwright cache``: what builds have left for later ones."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vmwright.caching.pruning import GIB, bound, layers, prune, snapshots
from vmwright.cli.running import opened
from vmwright.cli.screen import print_json, table
from vmwright.cli.words import age, counted, size
from vmwright.errors import TemplateError
from vmwright.runs.hints import SHORT

if TYPE_CHECKING:
    from vmwright.caching.pruning import Entry

UNITS = {"b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": GIB, "tib": 1 << 40}
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?i?B?)", re.IGNORECASE)


def list_cache(*, as_json: bool) -> None:
    """List the layers of the cache on this host, and memory snapshots, newest first."""
    with opened() as (settings, database):
        found = [*layers(database), *snapshots(database, settings)]
    if as_json:
        print_json([entry.as_document() for entry in found])
        return
    table(("ID", "TEMPLATE", "STEP", "SIZE", "MADE", "LAST USED", "BY BUILD"), [_row(one) for one in found])


def prune_cache(max_size: str | None, *, everything: bool) -> None:
    """Remove what was taken longest ago, until the rest is no larger than ``max_size``.

    :raises TemplateError: that is not a size.
    """
    with opened() as (settings, database):
        if everything:
            removed = prune(database, settings, most_bytes=0)
        elif max_size is not None:
            removed = prune(database, settings, most_bytes=bytes_of(max_size))
        else:
            removed = bound(database, settings)
    print(f"{counted(removed.files, 'file')} removed: {size(removed.size_bytes)}")


def bytes_of(text: str) -> int:
    """Read a size: ``10GiB``, ``500 MiB``; a number alone is bytes, and G means GiB.

    :raises TemplateError: it is none.
    """
    found = SIZE.fullmatch(text.strip())
    if found is None:
        raise TemplateError(f"--max-size {text}: not a size", hint="write it as 10GiB or 500MiB")
    unit = found[2].lower().rstrip("b").rstrip("i")
    return int(float(found[1]) * UNITS[f"{unit}ib" if unit else "b"])


def _row(entry: Entry) -> tuple[str, ...]:
    now = datetime.now(UTC)
    return (
        entry.id[:SHORT],
        entry.template,
        entry.step,
        size(entry.size_bytes),
        f"{age(now - entry.made_at)} ago",
        "in use" if entry.in_use else f"{age(now - entry.used_at)} ago",
        entry.build[:SHORT],
    )
