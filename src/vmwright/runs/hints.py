"""What people are shown of a build, and told to type about it."""

from __future__ import annotations

# As many characters of an id as people are shown.
SHORT = 8


def hint_while_it_runs(build_id: str) -> str:
    """Return what can be done about a build that runs."""
    short = build_id[:SHORT]
    return f"`vmwright logs -f {short}` follows it, `vmwright cancel {short}` ends it"
