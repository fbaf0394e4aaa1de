from __future__ import annotations

import pytest

from vmwright.cli.screen import printable, say


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[31mred\x1b[0m and plain", "red and plain"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("50%\r100%", "50%100%"),
        ("bell\x07 back\x08 \x9b31m", "bell back 31m"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("\x1b[", ""),
        ("héllo ✓", "héllo ✓"),
    ],
)
def test_what_moves_a_terminal_is_left_out(said: str, shown: str) -> None:
    assert printable(said) == shown


def test_what_is_said_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\x1b[2Jb", ("c\x07", "bold"))
    assert capsys.readouterr().out == "abc\n"
