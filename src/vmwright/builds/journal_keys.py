"""How the journal calls the attempts at a build."""

from __future__ import annotations


def journal_key(build_id: str, attempt: int) -> str:
    """Return the key of an attempt."""
    return f"{build_id}.{attempt}"


def journal_keys(build_id: str, attempt: int) -> tuple[str, ...]:
    """Return the keys of an attempt and of all before it, the latest first."""
    return tuple(journal_key(build_id, number) for number in range(attempt, 0, -1))


def build_of(key: str) -> str:
    """Return the id of the build that a key is of."""
    return key.rpartition(".")[0]
