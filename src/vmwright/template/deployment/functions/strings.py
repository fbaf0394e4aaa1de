"""Functions of texts."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import quote, unquote

from vmwright.template.deployment.faults import FaultError
from vmwright.template.deployment.functions.function import Function, Kind
from vmwright.template.deployment.values import Value, check_length, of_json, text_of

DATA_URI = "data:text/plain;charset=utf8;base64,"
TEXTS = (Kind.TEXT, Kind.TEXT)


def encoded(text: str) -> str:
    """Return base64 of a text's UTF-8."""
    return base64.b64encode(text.encode("utf-8", errors="replace")).decode()


def decoded(text: str) -> str:
    """Return the text that base64 holds."""
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise FaultError(f"base64ToString(): `{text[:40]}` is not base64 of a text.") from None


def data_uri(value: Value) -> str:
    """Return a value as a data URI."""
    return DATA_URI + encoded(text_of(value))


def data_uri_text(uri: str) -> str:
    """Return the text of a data URI."""
    head, comma, data = uri.partition(",")
    if not (comma and head.startswith("data:")):
        raise FaultError(f"dataUriToString(): `{uri[:40]}` is no data URI.")
    return decoded(data) if head.endswith(";base64") else unquote(data)


def joined(items: list[Value], delimiter: str) -> str:
    """Join an array's items."""
    texts = [text_of(item) for item in items]
    check_length(sum(map(len, texts)) + len(delimiter) * len(texts))
    return delimiter.join(texts)


def padded(value: Value, width: int, padding: str = " ") -> str:
    """Pad at the left."""
    if len(padding) != 1:
        raise FaultError(f"padLeft(): the padding is `{padding[:40]}`; it must be one character.")
    check_length(width)
    return text_of(value).rjust(width, padding)


def replaced(text: str, old: str, new: str) -> str:
    """Replace every occurrence, casing considered."""
    if not old:
        raise FaultError("replace(): the text to replace is empty.")
    check_length(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def split(text: str, delimiters: Value) -> list[Value]:
    """Split at a delimiter, or at each one of an array."""
    marks = delimiters if isinstance(delimiters, list) else [delimiters]
    parts = [text]
    for mark in marks:
        if not isinstance(mark, str):
            raise FaultError("split(): a delimiter is no text.")
        if mark:
            parts = [piece for part in parts for piece in part.split(mark)]
    return list(parts)


def substring(text: str, start: int, length: int | None = None) -> str:
    """Return a part of a text; beyond its end is an error, as in Azure."""
    end = len(text) if length is None else start + length
    if start < 0 or end < start or end > len(text):
        asked = f"from {start}" if length is None else f"of {length} characters from {start}"
        raise FaultError(f"substring(): the part {asked} is outside a text of {len(text)} characters.")
    return text[start:end]


def uri(base: str, relative: str) -> str:
    """Combine a base and a relative URI: what follows the base's last slash is left out."""
    head, slashes, rest = base.partition("//")
    if "/" in rest:
        base = f"{head}{slashes}{rest.rpartition('/')[0]}"
    return f"{base.removesuffix('/')}/{relative.removeprefix('/')}"


def unquoted(text: str) -> str:
    """Take back ``uriComponent``."""
    return unquote(text, errors="replace")


FUNCTIONS = (
    Function("base64", encoded, (Kind.TEXT,)),
    Function("base64ToString", decoded, (Kind.TEXT,)),
    Function("base64ToJson", lambda text: of_json(decoded(text)), (Kind.TEXT,)),
    Function("dataUri", data_uri, (Kind.ANY,)),
    Function("dataUriToString", data_uri_text, (Kind.TEXT,)),
    Function("endsWith", lambda text, end: text.casefold().endswith(end.casefold()), TEXTS),
    Function("startsWith", lambda text, start: text.casefold().startswith(start.casefold()), TEXTS),
    Function("join", joined, (Kind.ARRAY, Kind.TEXT)),
    Function("json", of_json, (Kind.TEXT,)),
    Function("padLeft", padded, (Kind.TEXT | Kind.INTEGER, Kind.INTEGER, Kind.TEXT), needs=2),
    Function("replace", replaced, (Kind.TEXT, Kind.TEXT, Kind.TEXT)),
    Function("split", split, (Kind.TEXT, Kind.TEXT | Kind.ARRAY)),
    Function("string", text_of, (Kind.ANY,)),
    Function("substring", substring, (Kind.TEXT, Kind.INTEGER, Kind.INTEGER), needs=2),
    Function("toLower", str.lower, (Kind.TEXT,)),
    Function("toUpper", str.upper, (Kind.TEXT,)),
    Function("trim", str.strip, (Kind.TEXT,)),
    Function("uri", uri, TEXTS),
    Function("uriComponent", lambda text: quote(text, safe="-_.~", errors="replace"), (Kind.TEXT,)),
    Function("uriComponentToString", unquoted, (Kind.TEXT,)),
)
