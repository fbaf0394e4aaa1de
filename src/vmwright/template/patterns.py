"""What a text must look like, as regular expressions of ECMA 262: the rules of ``formats`` for JSON Schema.

They take what reading takes, in any casing where Azure does not look at it. None is anchored.
"""

from __future__ import annotations

from typing import NamedTuple

from vmwright.template import formats, placeholders
from vmwright.template.contract import NAME_PATTERN, Format

PLACEHOLDER = placeholders.PLACEHOLDER.pattern
SEGMENT = r"[^/\s]+"


class Pattern(NamedTuple):
    """What a text must match, and the same in words."""

    expression: str
    says: str


def any_case(word: str) -> str:
    """Return an expression for a word in any casing; ECMA 262 has no flag for it inside a pattern."""
    return "".join(
        f"[{sign.upper()}{sign.lower()}]" if sign.isalpha() else sign.replace(".", r"\.") for sign in word
    )


def wanted(form: Format) -> Pattern | None:
    """Return what a format wants; None where any text will do."""
    match form:
        case Format.NAME:
            return Pattern(NAME_PATTERN, "1 to 64 letters, digits, `-`, `_` or `.`")
        case Format.URI:
            schemes = f"{any_case('http')}[Ss]?://{SEGMENT}|{any_case('file')}:/"
            return Pattern(rf"(?:{schemes})\S*", "an address such as https://...")
        case Format.SHA256:
            return Pattern(formats.SHA256.pattern, "a SHA-256 of 64 hexadecimal digits")
        case Format.DURATION:
            return Pattern(formats.DURATION.pattern, "a number with a unit, such as 5m or 2h")
        case _ if form in formats.IDS:
            types, names = formats.IDS[form]
            return Pattern(_resource_id(form, types), f"the id of {names}, {formats.id_pattern(types)}")
        case _:
            return None


def _resource_id(form: Format, types: tuple[str, ...]) -> str:
    group = f"/{any_case('subscriptions')}/{SEGMENT}/{any_case('resourceGroups')}/{SEGMENT}"
    if not types:
        # The service takes the id of a resource group without its first slash too (reference §4).
        return group.replace("/", "/?", 1)
    provider, *chain = types
    names = "".join(f"/{any_case(word)}/{SEGMENT}" for word in chain)
    text = f"{group}/{any_case('providers')}/{any_case(provider)}{names}"
    version = formats.VERSION.pattern
    match form:
        case Format.IMAGE_VERSION_ID:
            numbered = f"{text.removesuffix(SEGMENT)}(?:{version}|{any_case('latest')})"
            direct = "".join(f"/{any_case(word)}/{SEGMENT}" for word in ("sharedGalleries", *chain[1:]))
            return f"{numbered}|{direct}"
        case Format.DEFINITION_ID:
            return f"{text}(?:/{any_case('versions')}/{version})?"
        case _:
            return text
