"""OData's ``$filter`` as ARM's lists of resources take it: none is ever an error.

What a filter says beyond what is understood here (functions, properties that a resource does not show) is
left out of it, so that more is listed rather than nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from vmwright.arm.http.call import Call

    # Tells whether a resource is to be listed, by the document that shows it.
    Filter = Callable[[Mapping[str, Any]], bool]

QUOTED = r"'((?:[^']|'')*)'"
COMPARISON = re.compile(rf"\s*([A-Za-z]+)\s+(eq|ne)\s+{QUOTED}\s*", re.IGNORECASE)
STARTS_WITH = re.compile(rf"\s*startswith\s*\(\s*([A-Za-z]+)\s*,\s*{QUOTED}\s*\)\s*", re.IGNORECASE)
SUBSTRING_OF = re.compile(rf"\s*substringof\s*\(\s*{QUOTED}\s*,\s*([A-Za-z]+)\s*\)\s*", re.IGNORECASE)
WORD = re.compile(rf"{QUOTED}|\s(and|or)\s", re.IGNORECASE)
PLAIN = {"resourcetype": "type", "name": "name", "location": "location"}
NAMES = {*PLAIN, "tagname", "tagvalue", "resourcegroup"}
LONGEST = 2048


@dataclass(frozen=True, slots=True)
class _Clause:
    """A comparison of what stands under a name with a value in lower case."""

    name: str
    value: str
    test: Callable[[str, str], bool]
    is_equal: bool = field(default=False, kw_only=True)

    def holds(self, values: Sequence[str]) -> bool:
        """Tell whether one of a resource's values is like that; of ``ne``, whether all are."""
        return (all if self.test is str.__ne__ else any)(self.test(value, self.value) for value in values)


def parsed(text: str) -> Filter:
    """Return what a ``$filter`` says: comparisons with ``and`` and, less binding, ``or`` between them.

    Parentheses are not looked at. A tag's name and value in one such row are those of one tag.
    """
    choices = [_row(choice) for choice in _split(text[:LONGEST], "or")]
    return lambda document: any(choice(document) for choice in choices)


def filtered(call: Call, documents: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what a call's ``$filter`` leaves of a collection."""
    is_listed = parsed(call.query.get("$filter", ""))
    return [document for document in documents if is_listed(document)]


def _row(text: str) -> Filter:
    clauses = [clause for part in _split(text, "and") if (clause := _clause(part))]
    tag = next((clause.value for clause in clauses if clause.name == "tagname" and clause.is_equal), None)
    return lambda document: all(clause.holds(_values(document, clause.name, tag)) for clause in clauses)


def _clause(text: str) -> _Clause | None:
    """Read a comparison; None where it is no such thing, or of something that a list does not show."""
    if found := COMPARISON.fullmatch(text.strip(" ()")):
        equal = found[2].lower() == "eq"
        test = str.__eq__ if equal else str.__ne__
        clause = _Clause(found[1].lower(), _unquoted(found[3]), test, is_equal=equal)
    elif found := STARTS_WITH.fullmatch(text):
        clause = _Clause(found[1].lower(), _unquoted(found[2]), str.startswith)
    elif found := SUBSTRING_OF.fullmatch(text):
        clause = _Clause(found[2].lower(), _unquoted(found[1]), str.__contains__)
    else:
        return None
    return clause if clause.name in NAMES else None


def _values(document: Mapping[str, Any], name: str, tag: str | None) -> list[str]:
    """Return what a resource has under a name, in lower case; ``tag``: only that one's value is asked for."""
    tags = {key.lower(): value.lower() for key, value in (document.get("tags") or {}).items()}
    if name == "tagname":
        return list(tags)
    if name == "tagvalue":
        return [value for key, value in tags.items() if tag in {None, key}]
    if name == "resourcegroup":
        return str(document["id"]).lower().split("/")[4:5]
    return [str(document.get(PLAIN[name], "")).lower()]


def _split(text: str, word: str) -> list[str]:
    """Split a filter at a word that is not in quotes."""
    parts, start = [], 0
    for found in WORD.finditer(text):
        if (found[2] or "").lower() == word:
            parts.append(text[start : found.start()])
            start = found.end()
    return [*parts, text[start:]]


def _unquoted(text: str) -> str:
    return text.replace("''", "'").lower()
