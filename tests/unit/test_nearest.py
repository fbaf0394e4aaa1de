from __future__ import annotations

import pytest

from vmwright.nearest import nearest


@pytest.mark.parametrize(
    ("word", "meant"),
    [("sharedimage", "SharedImage"), ("Sharedimge", "SharedImage"), ("vhds", "VHD"), ("quite else", "")],
)
def test_the_name_that_was_meant_is_found_in_its_own_spelling(word: str, meant: str) -> None:
    assert nearest(word, ("ManagedImage", "SharedImage", "VHD")) == meant


def test_nothing_is_like_nothing() -> None:
    assert nearest("a", ()) == ""
