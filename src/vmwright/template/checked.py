"""A template's objects once reading has held them against the contract: canonical names, typed values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.template.contract import NEWEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.template.contract import Shape
    from vmwright.template.problems import Place


@dataclass(frozen=True, slots=True)
class Checked:
    """One object; ``values`` holds only fields whose value is of the contract's kind.

    ``place`` is the object's own, ``places`` those of its fields' values and of their items (``inline[0]``),
    ``open_fields`` the fields that still hold a placeholder without value: nothing can be said about their
    text.
    """

    shape: Shape
    place: Place
    values: Mapping[str, object]
    places: Mapping[str, Place]
    open_fields: frozenset[str]

    @property
    def kind(self) -> str:
        """The kind of a source, customizer, validator or distributor, as ``type`` says it."""
        return self.shape.type_in(NEWEST)

    def text(self, name: str) -> str:
        """Return a text, "" if absent."""
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int | None:
        """Return a number, None if absent."""
        value = self.values.get(name)
        return value if isinstance(value, int) else None

    def flag(self, name: str) -> bool:
        """Return a boolean, False if absent."""
        return self.values.get(name) is True

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, empty if absent."""
        value = self.values.get(name)
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, tuple) else ()

    def numbers(self, name: str) -> tuple[int, ...]:
        """Return a list of numbers, empty if absent."""
        value = self.values.get(name)
        return tuple(item for item in value if isinstance(item, int)) if isinstance(value, tuple) else ()

    def tags(self, name: str) -> Mapping[str, str]:
        """Return an object of texts, empty if absent."""
        value = self.values.get(name)
        return {str(key): str(text) for key, text in value.items()} if isinstance(value, dict) else {}

    def part(self, name: str) -> Checked | None:
        """Return an object, None if absent."""
        value = self.values.get(name)
        return value if isinstance(value, Checked) else None

    def parts(self, name: str) -> tuple[Checked, ...]:
        """Return a list of objects, empty if absent."""
        value = self.values.get(name)
        return tuple(item for item in value if isinstance(item, Checked)) if isinstance(value, tuple) else ()

    def has(self, name: str) -> bool:
        """Tell whether a field is there, with a value that asks for something."""
        return self.values.get(name, None) not in (None, "", (), {})

    def known(self, name: str) -> bool:
        """Tell whether a text is there and its placeholders are filled."""
        return self.has(name) and name not in self.open_fields

    def is_empty(self, name: str) -> bool:
        """Tell whether a list is there without any item, good or bad."""
        return self.values.get(name) == () and f"{name}[0]" not in self.places

    def at(self, name: str) -> Place:
        """Return where a field or an item (``inline[0]``) stands, or what would hold it."""
        return self.places.get(name) or self.places.get(name.partition("[")[0]) or self.place
