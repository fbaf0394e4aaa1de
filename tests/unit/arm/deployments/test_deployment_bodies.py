"""What clients send as bodies of deployments, read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.deployments.parsing import alone, parse_body, tree_of
from vmwright.template.document import Object, plain_object

KEYS = st.text(st.characters(codec="utf-8"), max_size=8)
PLAIN = st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_json_is_read_as_it_is(document: dict[str, object]) -> None:
    for text in (json.dumps(document), json.dumps(document, ensure_ascii=False, indent=2)):
        assert plain_object(parse_body(text.encode())) == document


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("{template:{}}", {"template": {}}),
        ("{ template : 1 }", {"template": 1}),
        ('{"a": "template: b", // c: d\n b: 1}', {"a": "template: b", "b": 1}),
        (
            '{"a": "// no comment", /* "b": 2 */ "c": "/* neither */"}',
            {"a": "// no comment", "c": "/* neither */"},
        ),
        ('{"a": "one\ntwo\r\nthree\tfour"}', {"a": "one\ntwo\r\nthree\tfour"}),
        ('{"a": "\\"quoted: \\" {b: 1}", c: [1, 2,]}', {"a": '"quoted: " {b: 1}', "c": [1, 2]}),
        ("", {}),
    ],
)
def test_what_the_command_line_of_azure_makes_of_json_is_read(text: str, read: dict[str, object]) -> None:
    assert plain_object(parse_body(text.encode())) == read


@pytest.mark.parametrize("text", ["{", '{"a": "b}', "{a b: 1}", "{template:}", '{"a": NaN}', "{/*", "\xff"])
def test_what_is_nothing_of_the_kind_is_refused(text: str) -> None:
    with pytest.raises(ArmError) as refused:
        parse_body(text.encode("latin-1"))
    assert refused.value.code == "InvalidRequestContent"


def test_lines_stay_what_they_were_after_texts_over_several_lines() -> None:
    text = '{"properties": {template:{\n"a": "one\ntwo",\n"b": 1}}}'
    properties = parse_body(text.encode()).get("properties")
    assert isinstance(properties, Object)
    template = properties.get("template")
    assert isinstance(template, Object)
    own = alone(template)
    places = {one.key: (one.place.path, one.place.line) for one in own.members}
    assert places == {"a": ("a", 2), "b": ("b", 4)}


def test_what_was_kept_stands_in_no_file() -> None:
    (member,) = tree_of({"a": [1]}).members
    assert (member.place.path, member.place.line) == ("a", 0)


@pytest.mark.parametrize("piece", ['"', '\\"', "a", "//", "/*", "a:", " ", "{a:"])
def test_hostile_texts_take_no_longer_than_their_length_says(piece: str) -> None:
    with pytest.raises(ArmError):
        parse_body(b'{"' + piece.encode() * 300_000)
