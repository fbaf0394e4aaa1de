"""The bodies of deployments -> trees: JSON, and what the command line of Azure makes of it.

``az deployment`` puts the text of a template's file behind a key without quotes, with the comments and the
lines that texts run over (azure-clients.md, section 6).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from vmwright.arm.http.errors import ArmError
from vmwright.template import document as documents
from vmwright.template.document import Array, Member, Object, Scalar
from vmwright.template.problems import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmwright.template.document import Node

# Texts, comments, and words before a colon; what does not end runs to the end, so that this stays linear.
PIECES = re.compile(
    r'(?P<text>"(?:[^"\\]|\\.)*+"?)|//[^\n]*|/\*.*?(?:\*/|\Z)|(?<![\w$])(?P<key>[A-Za-z_$][\w$]*+)(?=\s*+:)',
    re.DOTALL,
)
BREAKS = re.compile(r"\r\n|\r|\n")
CONTROLS = {"\r\n": "\\r\\n", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def parse_body(data: bytes) -> Object:
    """Return a request's body; without one an empty object.

    :raises ArmError: it is no object, or nothing that can be read as one.
    """
    if not data.strip():
        return Object(Place("", 1, 1), ())
    return parse_text(data, "The request content was invalid and could not be deserialized")


def parse_text(data: bytes, wrong: str, *, code: str = "InvalidRequestContent") -> Object:
    """Return the object that a text holds.

    :param wrong: how the message of an error begins, whose code is ``code``.
    :raises ArmError: it is none.
    """
    tree, problems = documents.parse(_with_quotes(data))
    if tree is None:
        first = next(problem for problem in problems if problem.is_error)
        where = f" Line {first.line}, position {first.column}." if first.line else ""
        hint = f" ({first.hint})" if first.hint else ""
        raise ArmError(400, code, f"{wrong}: '{first.message}{hint}'.{where}", is_gateways=True)
    try:
        json.dumps(documents.plain(tree), ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        message = f"{wrong}: 'it has numbers without end, or halves of characters.'"
        raise ArmError(400, code, message, is_gateways=True) from None
    return tree


def _with_quotes(data: bytes) -> bytes:
    """Return a text with quotes around its keys, and with texts that stay on their lines.

    What is JSON already stays as it is. The lines that a text ran over follow it, so that all that comes
    after it stands where it did.
    """

    def quoted(found: re.Match[str]) -> str:
        if found["key"]:
            return f'"{found["key"]}"'
        if not found["text"] or not re.search(r"[\r\n\t]", found[0]):
            return found[0]
        on_one_line = re.sub(r"\r\n|[\r\n\t]", lambda control: CONTROLS[control[0]], found[0])
        return on_one_line + "\n" * len(BREAKS.findall(found[0]))

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data  # whoever reads it says where it is not UTF-8
    return PIECES.sub(quoted, text).encode()


def member(tree: Object, key: str) -> Object | None:
    """Return a member that is an object; None where it is not there, or null.

    :raises ArmError: it is something else.
    """
    node = tree.get(key)
    if node is None or isinstance(node, Object):
        return node
    if isinstance(node, Scalar) and node.value is None:
        return None
    raise ArmError(
        400,
        "InvalidRequestContent",
        f"The request content was invalid and could not be deserialized: '{node.place.path}' is "
        f"{documents.describe(node)}, not an object. Line {node.place.line}, position {node.place.column}.",
        target=node.place.path,
        is_gateways=True,
    )


def text(tree: Object, key: str) -> str:
    """Return a member that is a text; "" where it is none."""
    node = tree.get(key)
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else ""


def alone(node: Object) -> Object:
    """Return an object with paths that begin in it, not in what is around it."""
    cut = len(node.place.path)
    return _moved(node, lambda of: Place(of.path[cut:].removeprefix("."), of.line, of.column))


def tree_of(value: object) -> Object:
    """Return the tree of an object that was kept: it has paths, but stands in no file.

    :raises ArmError: it cannot be read any more.
    """
    read = parse_text(json.dumps(value).encode(), "The deployment cannot be read")
    return _moved(read, lambda of: Place(of.path, 0, 0))


def _moved(node: Object, place: Callable[[Place], Place]) -> Object:
    members = (Member(one.key, place(one.place), _any_moved(one.value, place)) for one in node.members)
    return Object(place(node.place), tuple(members))


def _any_moved(node: Node, place: Callable[[Place], Place]) -> Node:
    match node:
        case Object():
            return _moved(node, place)
        case Array():
            return Array(place(node.place), tuple(_any_moved(item, place) for item in node.items))
        case Scalar():
            return Scalar(place(node.place), node.value)
