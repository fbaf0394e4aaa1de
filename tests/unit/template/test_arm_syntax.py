"""The language of expressions: what is one, how it is read, and what is said of one that cannot be."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmwright.template.deployment.faults import FaultError
from vmwright.template.deployment.syntax import Access, Call, Literal, is_expression, parse, unescaped


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("[parameters('a')]", True),
        ("[ -f /etc/passwd ]", True),
        ("[[parameters('a')]", False),
        ("[parameters('a')", False),
        (" [parameters('a')]", False),
        ("parameters('a')", False),
        ("", False),
        ("[]", True),
    ],
)
def test_what_is_an_expression(text: str, *, yes: bool) -> None:
    assert is_expression(text) is yes


@pytest.mark.parametrize(
    ("text", "says"), [("[[a]", "[a]"), ("[[a", "[[a"), ("[[[a]", "[[a]"), ("a]", "a]"), ("", "")]
)
def test_an_escaped_text_says(text: str, says: str) -> None:
    assert unescaped(text) == says


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("['it''s']", Literal("it's")),
        ("[-12]", Literal(-12)),
        ("[ a ( ) ]", Call("a", ())),
        ("[a(1,'b',c())]", Call("a", (Literal(1), Literal("b"), Call("c", ())))),
        ("[contoso.name('x')]", Call("name", (Literal("x"),), "contoso")),
        ("[a().b[0]]", Access(Access(Call("a", ()), Literal("b")), Literal(0))),
        ("[a()[b('c')].d]", Access(Access(Call("a", ()), Call("b", (Literal("c"),))), Literal("d"))),
        ("[a(\n  'b'\n)]", Call("a", (Literal("b"),))),
    ],
)
def test_an_expression_reads_as(text: str, tree: object) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("[]", "ends too early", "[["),
        ("[a(]", "ends too early", ""),
        ("[a('b]", "does not end", "apostrophe"),
        ('[a("b")]', "a quote", "apostrophes"),
        ("[a() b()]", "`b` is one too many", ""),
        ("[a(1 2)]", "`,` is missing", ""),
        ("[a()[0]", "`]` is missing", ""),
        ("[ -f /x ]", "character 3, `-`", "[["),
        ("[true]", "no function call", "true()"),
        ("[name]", "no function call", "apostrophes"),
        ("[a().1]", "name is missing", ""),
        ("[a().]", "name is missing", ""),
        ("['a'.b]", "one too many", ""),
        ("[1.5]", "one too many", ""),
        ("[99999999999999999999]", "64 bits", ""),
        ("[999999999999999999999999]", "too many digits", ""),
        ("[a#b]", "`#`", ""),
        ("[" + "a(" * 65 + ")" * 65 + "]", "more than 64 deep", ""),
        ("[a()" + ".b" * 65 + "]", "more than 64 deep", ""),
        ("['" + "a" * 25_000 + "']", "24576 are the limit", ""),
    ],
)
def test_what_cannot_be_read_is_said(text: str, said: str, hint: str) -> None:
    with pytest.raises(FaultError) as caught:
        parse(text)
    assert said in caught.value.message
    assert hint in caught.value.hint


@given(st.text(alphabet="ab(),.[]'01-+ \n\"é$_", max_size=60))
def test_no_text_crashes_the_parser(text: str) -> None:
    with contextlib.suppress(FaultError):
        assert isinstance(parse(f"[{text}]"), Literal | Call | Access)
