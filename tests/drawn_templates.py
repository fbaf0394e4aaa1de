"""Templates drawn from the contracts: what an api-version allows, or (wild) nearly so."""

from __future__ import annotations

from hypothesis import strategies as st

from vmwright.template import formats
from vmwright.template.checking import RESOURCE_TYPE
from vmwright.template.contract import NAME_PATTERN, Field, Format, Kind, Shape
from vmwright.template.shapes import ENVELOPE, SHAPES
from vmwright.template.shapes.regions import REGIONS_2019

ONE_IS_WILD = 40


def any_casing(word: str) -> st.SearchStrategy[str]:
    return st.sampled_from([word, word.lower(), word.upper()])


@st.composite
def resource_ids(draw: st.DrawFn, form: Format) -> str:
    types, _ = formats.IDS[form]
    provider, *chain = types or ("",)
    words = ["subscriptions", "resourceGroups", *(["providers", *chain] if types else [])]
    values = [draw(st.from_regex(r"[\w().-]{1,9}", fullmatch=True)) for _ in words]
    if types:
        values[2] = draw(any_casing(provider))
    if form is Format.IMAGE_VERSION_ID:
        values[-1] = draw(
            st.from_regex(r"[0-9]{1,9}(\.[0-9]{1,9}){2}", fullmatch=True) | any_casing("latest")
        )
    names = [draw(any_casing(word)) for word in words]
    return "".join(f"/{name}/{value}" for name, value in zip(names, values, strict=True))


ADDRESSES = st.sampled_from(
    ["https://a.example/b?c=d", "HTTPS://A.EXAMPLE", "file:///tmp/a", "https://[::1]:1/a"]
)
CHECKSUMS = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0<"), max_size=9)
# Without null: reading takes it for an absent field, an editor had better not offer it.
ANYTHING: st.SearchStrategy[object] = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS
    | st.just("<open>"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
OTHERS: dict[Kind, st.SearchStrategy[object]] = {
    Kind.INTEGERS: st.lists(st.integers(-(2**31), 2**31), max_size=3),
    Kind.BOOLEAN: st.booleans() | st.just("<flag>"),
    Kind.TAGS: st.dictionaries(WORDS, WORDS, max_size=3),
    Kind.IDENTITIES: st.dictionaries(resource_ids(Format.IDENTITY_ID), st.just({}), max_size=1),
    Kind.OPAQUE: ANYTHING,
}


def texts(field: Field, *, required: bool) -> st.SearchStrategy[str]:
    match field.format:
        case _ if field.allowed:
            good = st.sampled_from(field.allowed)
        case Format.NAME:
            good = st.from_regex(NAME_PATTERN.replace(".", ""), fullmatch=True)
        case Format.URI:
            good = ADDRESSES
        case Format.SHA256:
            good = CHECKSUMS
        case Format.DURATION:
            good = st.from_regex(formats.DURATION, fullmatch=True)
        case Format.REGION:
            good = st.sampled_from(REGIONS_2019)
        case Format.PLAIN:
            good = WORDS.filter(str.strip) if required else WORDS
        case _:
            good = resource_ids(field.format)
    placeholder = st.just("<placeholder>")
    return good | placeholder if required else good | placeholder | st.just("")


@st.composite
def objects(
    draw: st.DrawFn, shape: Shape, version: str, *, kind: str = "", wild: bool = False
) -> dict[str, object]:
    drawn: dict[str, object] = {}
    for field in shape.fields:
        if not field.exists_in(version) or field.read_only:
            continue
        if field.required_in(version) or draw(st.booleans()):
            is_wild = wild and draw(st.integers(1, ONE_IS_WILD)) == 1
            drawn[field.name_in(version)] = draw(ANYTHING if is_wild else values(field, version, wild=wild))
    if kind:
        drawn["type"] = kind
    if shape is ENVELOPE:
        drawn |= {"type": draw(any_casing(RESOURCE_TYPE)), "apiVersion": version}
    return drawn


def values(field: Field, version: str, *, wild: bool) -> st.SearchStrategy[object]:
    shapes = [SHAPES[name] for name in field.shapes if SHAPES[name].exists_in(version)]
    fewest = int(field.required_in(version))
    match field.kind:
        case Kind.TEXT:
            return texts(field, required=field.required_in(version))
        case Kind.TEXTS:
            return st.lists(texts(field, required=True), min_size=fewest, max_size=3)
        case Kind.INTEGER:
            return st.integers(field.minimum, field.maximum) | st.just("<number>")
        case Kind.OBJECT | Kind.OBJECTS:
            item = objects(shapes[0], version, wild=wild)
            return item if field.kind is Kind.OBJECT else st.lists(item, min_size=fewest, max_size=2)
        case Kind.CHOICE | Kind.CHOICES:
            one = st.sampled_from(shapes).flatmap(
                lambda shape: objects(shape, version, kind=shape.type_in(version), wild=wild)
            )
            return one if field.kind is Kind.CHOICE else st.lists(one, min_size=fewest, max_size=2)
        case _:
            return OTHERS[field.kind]


def bodies(version: str, *, wild: bool = False) -> st.SearchStrategy[dict[str, object]]:
    """Bodies of templates of an api-version; ``wild``: any value may be one that does not fit."""
    return objects(ENVELOPE, version, wild=wild)
