"""The JSON Schema of an image template in one api-version, made from the contracts, for editors and CI.

Draft-07, not 2020-12: the JSON language service of VS Code (also in Monaco and in many language servers)
has followed draft-07 for years and 2020-12 only in its newest releases, where older ones warn and complete
nothing below the root; JetBrains' IDEs and ajv know draft-07 as well. Nothing here needs a later draft.

Kinds are told apart by ``if``/``then`` on ``type``: an editor then offers the fields of that kind alone, and
a validator complains about the wrong field, not about every kind that it might have been.

``patternErrorMessage``, ``enumDescriptions`` and ``doNotSuggest`` are VS Code's own; others ignore them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.template import patterns
from vmwright.template.checking import RESOURCE_TYPE
from vmwright.template.contract import FIRST, STRICT_SINCE, Field, Format, Kind, reaches
from vmwright.template.shapes import ENVELOPE, SHAPES, regions_of

if TYPE_CHECKING:
    from vmwright.template.contract import Shape

Document = dict[str, object]

DRAFT = "http://json-schema.org/draft-07/schema#"
OR_PLACEHOLDER = "or a placeholder, <name>"


def json_schema(version: str) -> Document:
    """Return the JSON Schema of an image template in an api-version of API_VERSIONS.

    It accepts what ``read`` accepts without a warning, placeholders such as ``<rgName>`` included; only a
    field without value is left out, not ``null``. Until 2024-02-01 Azure ignores unknown fields: they pass.
    From then on it refuses them, and so does the schema.
    """
    schema = _Schema(version)
    root = schema.object(ENVELOPE)
    title = f"Azure VM Image Builder template, api-version {version}"
    return {"$schema": DRAFT, "title": title, **root, "definitions": schema.definitions}


class _Schema:
    """Makes the schemas of objects; those below the root come into ``definitions`` by their shape's name."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.definitions: dict[str, Document] = {}
        self._strict = reaches(version, STRICT_SINCE)

    def object(self, shape: Shape) -> Document:
        """Return the schema of an object."""
        fields = [field for field in shape.fields if field.exists_in(self.version)]
        properties = {field.name_in(self.version): self._property(field) for field in fields}
        if shape is ENVELOPE:
            properties["type"] |= {**_text(patterns.any_case(RESOURCE_TYPE)), "examples": [RESOURCE_TYPE]}
            properties["apiVersion"] |= _choice((self.version,))
        document: Document = {"description": shape.about, "type": "object", "properties": properties}
        if required := [field.name_in(self.version) for field in fields if field.required_in(self.version)]:
            document["required"] = required
        if self._strict:
            document["additionalProperties"] = False
        return document

    def _property(self, field: Field) -> Document:
        if field.read_only:
            return {"description": field.about, "readOnly": True, "doNotSuggest": True}
        return {"description": field.about, **self._value(field)}

    def _value(self, field: Field) -> Document:
        match field.kind:
            case Kind.OBJECTS | Kind.CHOICES | Kind.TEXTS | Kind.INTEGERS:
                fewest: Document = {"minItems": 1} if field.required_in(self.version) else {}
                return {"type": "array", "items": self._item(field), **fewest}
            case _:
                return self._item(field)

    def _item(self, field: Field) -> Document:
        match field.kind:
            case Kind.OBJECT:
                # Beside `$ref` draft-07 ignores everything; with `type` here editors insert the braces.
                return {"type": "object", "allOf": [self._reference(field.shapes[0])]}
            case Kind.OBJECTS:
                return self._reference(field.shapes[0])
            case Kind.CHOICE | Kind.CHOICES:
                return self._kinds(field)
            case Kind.TEXT | Kind.TEXTS:
                return self._text(field)
            case _:
                return _plain(field)

    def _reference(self, name: str) -> Document:
        if name not in self.definitions:
            self.definitions[name] = {}  # Its place in the order, before those that it refers to.
            self.definitions[name] = self.object(SHAPES[name])
        return {"$ref": f"#/definitions/{name}"}

    def _kinds(self, field: Field) -> Document:
        shapes = [shape for name in field.shapes if (shape := SHAPES[name]).exists_in(self.version)]
        kinds = {shape.type_in(self.version): shape.name for shape in shapes}
        says = tuple(shape.about for shape in shapes)
        # The first api-version does not tell casings apart (reference §4).
        any_casing = self.version == FIRST
        branches = [
            {
                "if": {"properties": {"type": _is(kind, any_casing=any_casing)}, "required": ["type"]},
                "then": self._reference(name),
            }
            for kind, name in kinds.items()
        ]
        return {
            "type": "object",
            "properties": {"type": _choice(tuple(kinds), says=says, any_casing=any_casing)},
            "required": ["type"],
            "allOf": branches,
        }

    def _text(self, field: Field) -> Document:
        """Return the schema of a text, or of each text of a list."""
        required = field.required_in(self.version)
        may_be_empty = field.kind is Kind.TEXT and not required
        if field.allowed:
            return _choice(field.allowed, may_be_empty=may_be_empty)
        if form := patterns.wanted(field.format):
            return _text(form.expression, says=form.says, may_be_empty=may_be_empty)
        fewest: Document = {"minLength": 1} if required and field.kind is Kind.TEXT else {}
        is_region = field.format is Format.REGION
        examples: Document = {"examples": list(regions_of(self.version))} if is_region else {}
        return {"type": "string", **fewest, **examples}


def _plain(field: Field) -> Document:
    match field.kind:
        case Kind.INTEGER:
            limits = {"minimum": field.minimum, "maximum": field.maximum}
            known = {name: limit for name, limit in limits.items() if limit is not None}
            return {**_or_placeholder("integer", "a whole number"), **known}
        case Kind.BOOLEAN:
            return _or_placeholder("boolean", "true or false")
        case Kind.INTEGERS:
            return {"type": "integer"}
        case Kind.TAGS:
            return {"type": "object", "additionalProperties": {"type": "string"}}
        case Kind.IDENTITIES:
            form = patterns.wanted(Format.IDENTITY_ID)
            return {"type": "object", "propertyNames": _text(form.expression, says=form.says) if form else {}}
        case _:
            return {}


def _or_placeholder(kind: str, says: str) -> Document:
    """Return the schema of a number or boolean; limits beside it hold for numbers, the pattern for texts."""
    message = f"Write {says}, {OR_PLACEHOLDER}."
    return {"type": [kind, "string"], "pattern": patterns.PLACEHOLDER, "patternErrorMessage": message}


def _is(kind: str, *, any_casing: bool) -> Document:
    return {"type": "string", "pattern": f"^{patterns.any_case(kind)}$"} if any_casing else {"const": kind}


def _choice(
    values: tuple[str, ...],
    *,
    says: tuple[str, ...] = (),
    may_be_empty: bool = False,
    any_casing: bool = False,
) -> Document:
    """Return the schema of one of ``values``, of which editors show what each ``says``, or a placeholder."""
    others = [patterns.PLACEHOLDER, *(["^$"] if may_be_empty else [])]
    if any_casing:
        others += [f"^{patterns.any_case(value)}$" for value in values]
    message = f"Write one of {', '.join(values)}, {OR_PLACEHOLDER}."
    offered = {"enum": list(values), **({"enumDescriptions": list(says)} if says else {})}
    other = {"type": "string", "pattern": "|".join(others), "patternErrorMessage": message}
    return {"anyOf": [offered, other]}


def _text(expression: str, *, says: str = "", may_be_empty: bool = True) -> Document:
    pattern = f"{patterns.PLACEHOLDER}|^(?:{expression})$" + ("|^$" if may_be_empty else "")
    message: Document = {"patternErrorMessage": f"Write {says}, {OR_PLACEHOLDER}."} if says else {}
    return {"type": "string", "pattern": pattern, **message}
