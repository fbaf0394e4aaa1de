"""The ``$filter`` of lists of which nobody may get more than was asked for: principals, roles.

Conditions are joined with ``and``, in the forms that clients send. Lists of resources take more:
``filters.py``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmwright.arm.http.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LONGEST_FILTER = 4096
_TEXT = r"'(?P<{name}>(?:[^']|'')*)'"
_CONDITION = re.compile(
    r"\s*(?:"
    r"(?P<any>\w+)/any\(\s*(?P<item>\w+)\s*:\s*(?P=item)\s+eq\s+" + _TEXT.format(name="among") + r"\s*\)"
    r"|(?P<function>\w+)\(\s*(?:" + _TEXT.format(name="argument") + r"\s*)?\)"
    r"|(?P<property>\w+)\s+eq\s+" + _TEXT.format(name="value") + r")\s*",
    re.IGNORECASE,
)
_AND = re.compile(r"and\b", re.IGNORECASE)


def conditions(query: Mapping[str, str], known: Collection[str]) -> dict[str, str]:
    """Return the conditions of a request's filter by their names in lower case; {} without one.

    ``name eq 'x'``, ``name/any(c:c eq 'x')`` and ``name('x')`` each give ``x``, ``name()`` gives "".

    :param known: the names that the list knows, in lower case.
    :raises ArmError: one is not among them, or the filter cannot be read: without it, more would be listed
        than is asked for.
    """
    text = query.get("$filter", "").strip()
    found: dict[str, str] = {}
    if len(text) > LONGEST_FILTER or not text.isprintable():
        raise _unsupported(text, known)
    at = 0
    while text:
        condition = _CONDITION.match(text, at)
        if condition is None:
            raise _unsupported(text, known)
        name = (condition["any"] or condition["function"] or condition["property"]).lower()
        if name not in known:
            raise _unsupported(text, known)
        value = condition["among"] or condition["argument"] or condition["value"] or ""
        found[name] = value.replace("''", "'")
        if condition.end() == len(text):
            break
        conjunction = _AND.match(text, condition.end())
        if conjunction is None:
            raise _unsupported(text, known)
        at = conjunction.end()
    return found


def _unsupported(text: str, known: Collection[str]) -> ArmError:
    names = ", ".join(sorted(known))
    return ArmError(
        400,
        "UnsupportedQuery",
        f"The filter '{text[:200]}' is not supported. Supported here are {names}, joined with 'and'.",
        target="$filter",
    )
