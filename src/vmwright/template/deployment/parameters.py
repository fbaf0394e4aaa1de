"""Parameters: how a template declares them, and whether a value is one that they take."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from vmwright.template.catalogue import Rule
from vmwright.template.deployment.faults import FaultError
from vmwright.template.deployment.values import Value, cost, key_of, kind_of, of_json, text_of, value_of
from vmwright.template.document import Node, Object, Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.template.deployment.report import Report
    from vmwright.template.problems import Place

SECURE = {"securestring": "string", "secureobject": "object"}
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "string": "a text",
        "int": "an integer",
        "bool": "a boolean",
        "array": "an array",
        "object": "an object",
    }
)
TRUTH = {"true": True, "false": False}
DEFINITIONS = "#/definitions/"
MAX_REFERENCES = 16


@dataclass(frozen=True, slots=True)
class Given:
    """A value for a parameter and where it comes from.

    ``is_text``: it is read by the parameter's type; ``is_open``: it has none, which was said elsewhere.
    """

    value: Value
    origin: str
    is_text: bool = False
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declaration."""

    name: str
    place: Place
    kind: str
    secure: bool
    nullable: bool
    default: Node | None
    body: Object

    def taken(self, given: Given) -> Value:
        """Return a given value as the parameter takes it.

        :raises FaultError: it does not; a secret is not shown.
        """
        value = self._read(text_of(given.value)) if given.is_text else given.value
        if value is None and self.nullable:
            return None
        cost(value)
        if not _fits(value, self.kind):
            raise self._fault(f"is {kind_of(value)}; it must be {KINDS[self.kind]}")
        if (allowed := self._allowed()) is not None:
            known = {key_of(one) for one in allowed}
            items = value if self.kind == "array" and isinstance(value, list) else [value]
            if key_of(value) not in known and any(key_of(item) not in known for item in items):
                shown = "" if self.secure else f" `{text_of(value)[:80]}`"
                hint = f"one of {', '.join(text_of(one) for one in allowed[:20])}"
                raise self._fault(f"has the value{shown}, which is not allowed", hint=hint)
        self._check_bounds(value)
        return value

    def _fault(self, what: str, *, hint: str = "") -> FaultError:
        return FaultError(f"The parameter `{self.name}` {what}.", rule=Rule.PARAMETER_VALUE, hint=hint)

    def _read(self, text: str) -> Value:
        match self.kind:
            case "string":
                return text
            case "int" if text.strip().lstrip("+-").isdecimal() and len(text) <= len("-9223372036854775808"):
                return int(text)
            case "bool" if text.strip().lower() in TRUTH:
                return TRUTH[text.strip().lower()]
            case "array" | "object":
                try:
                    return of_json(text)
                except FaultError:
                    raise self._fault("takes JSON", hint="such as '[\"a\"]' or '{\"a\": 1}'") from None
            case _:
                shown = "a secret value" if self.secure else f"`{text[:80]}`"
                raise self._fault(f"is {shown}; it must be {KINDS[self.kind]}")

    def _allowed(self) -> list[Value] | None:
        node = self.body.get("allowedValues")
        value = value_of(node) if node is not None else None
        return value if isinstance(value, list) else None

    def _check_bounds(self, value: Value) -> None:
        if isinstance(value, int) and not isinstance(value, bool):
            size, names, what = value, ("minValue", "maxValue"), "value"
        elif isinstance(value, str | list):
            size, names, what = len(value), ("minLength", "maxLength"), "length"
        else:
            return
        least, most = (self._bound(name) for name in names)
        if (least is not None and size < least) or (most is not None and size > most):
            wanted = f"from {least} to {most}" if least is not None and most is not None else ""
            wanted = wanted or (f"{least} or more" if most is None else f"{most} at most")
            shown = "" if self.secure else f" {size}"
            raise self._fault(f"has the {what}{shown}; it must be {wanted}")

    def _bound(self, name: str) -> int | None:
        node = self.body.get(name)
        return node.value if isinstance(node, Scalar) and isinstance(node.value, int) else None


def declared(tree: Object, report: Report) -> dict[str, Parameter]:
    """Return what a template declares, by names in lower case."""
    node = tree.get("parameters")
    if node is None:
        return {}
    if not isinstance(node, Object):
        report.say(Rule.ARM_STRUCTURE.at(node.place, "`parameters` is no object.", hint="{ ... }"))
        return {}
    found = {}
    for member in node.members:
        parameter = _declaration(tree, member.key, member.place, member.value)
        if parameter is None:
            message = f"The parameter `{member.key}` has no `type` that ARM knows."
            hint = "string, int, bool, array, object, securestring or secureObject"
            report.say(Rule.ARM_STRUCTURE.at(member.place, message, hint=hint))
        else:
            found[member.key.casefold()] = parameter
    return found


def _declaration(tree: Object, name: str, place: Place, node: Node) -> Parameter | None:
    body, nullable = node, _flag(node, "nullable")
    for _ in range(MAX_REFERENCES):
        reference = body.get("$ref") if isinstance(body, Object) else None
        if reference is None:
            break
        body = _definition(tree, reference) or body
        nullable = nullable or _flag(body, "nullable")
    if not isinstance(node, Object) or not isinstance(body, Object):
        return None
    kind_node = body.get("type")
    kind = text_of(kind_node.value).lower() if isinstance(kind_node, Scalar) else ""
    plain = SECURE.get(kind, kind)
    if plain not in KINDS:
        return None
    return Parameter(
        name=name,
        place=place,
        kind=plain,
        secure=kind in SECURE,
        nullable=nullable,
        default=node.get("defaultValue"),
        body=body,
    )


def _definition(tree: Object, reference: Node) -> Node | None:
    path = text_of(reference.value) if isinstance(reference, Scalar) else ""
    definitions = tree.get("definitions")
    if not path.startswith(DEFINITIONS) or not isinstance(definitions, Object):
        return None
    return definitions.get(path.removeprefix(DEFINITIONS))


def _flag(node: Node, name: str) -> bool:
    value = node.get(name) if isinstance(node, Object) else None
    return isinstance(value, Scalar) and value.value is True


def _fits(value: Value, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "bool":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)


def names_of(tree: Object) -> tuple[str, ...]:
    """Return the names of the parameters that a template declares."""
    node = tree.get("parameters")
    return tuple(member.key for member in node.members) if isinstance(node, Object) else ()
