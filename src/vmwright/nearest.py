"""Which known name was probably meant by one that is not known."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, names: Iterable[str]) -> str:
    """Return the name that is most like ``word``, compared without case, as it is spelled; "" if none is."""
    known = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(word.casefold(), known, n=1)
    return known[near[0]] if near else ""
