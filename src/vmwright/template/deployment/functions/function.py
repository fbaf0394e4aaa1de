"""How a function is described: its name, what it takes, what it does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING

from vmwright.template.deployment.faults import FaultError
from vmwright.template.deployment.values import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vmwright.template.deployment.values import Value


class Kind(Flag):
    """What an argument may be."""

    NULL = auto()
    BOOLEAN = auto()
    INTEGER = auto()
    NUMBER = auto()
    TEXT = auto()
    ARRAY = auto()
    OBJECT = auto()
    PLAIN = BOOLEAN | INTEGER | NUMBER | TEXT
    ANY = NULL | BOOLEAN | INTEGER | NUMBER | TEXT | ARRAY | OBJECT


NAMES = (
    (Kind.TEXT, "a text"),
    (Kind.INTEGER, "an integer"),
    (Kind.NUMBER, "a number"),
    (Kind.BOOLEAN, "a boolean"),
    (Kind.ARRAY, "an array"),
    (Kind.OBJECT, "an object"),
    (Kind.NULL, "null"),
)


# A boolean is an integer to Python: it comes first.
TYPES = (
    (bool, Kind.BOOLEAN),
    (int, Kind.INTEGER),
    (float, Kind.NUMBER),
    (str, Kind.TEXT),
    (list, Kind.ARRAY),
    (dict, Kind.OBJECT),
)


class Style(Flag):
    """What the body of a function is given."""

    VALUES = auto()
    SITE = auto()
    EXPRESSIONS = auto()


@dataclass(frozen=True, slots=True)
class Function:
    """A function of ARM, its name as ARM writes it.

    ``takes`` are the kinds of its arguments, of which ``needs`` must be there (None: all); ``more`` is the
    kind of any number of further ones. The body gets their values (``Style.VALUES``), before them the site of
    the call (``SITE``), or the site and the arguments' expressions (``EXPRESSIONS``), for what is lazy.
    ``makes`` is False where the result is only picked from what is there already.
    """

    name: str
    body: Callable[..., Value]
    takes: tuple[Kind, ...] = ()
    needs: int | None = None
    more: Kind | None = None
    style: Style = Style.VALUES
    makes: bool = True

    def check_count(self, count: int) -> None:
        """Check how many arguments there are.

        :raises FaultError: too few, or too many.
        """
        least = len(self.takes) if self.needs is None else self.needs
        most = None if self.more else len(self.takes)
        if count < least or (most is not None and count > most):
            if most is None:
                wanted = f"{least} or more"
            else:
                wanted = str(least) if least == most else f"{least} to {most}"
            raise FaultError(f"{self.name}() takes {wanted} argument{'s' * (wanted != '1')}, not {count}.")

    def check_kinds(self, arguments: Sequence[Value]) -> None:
        """Check what kinds the arguments are.

        :raises FaultError: one is of another kind.
        """
        for index, argument in enumerate(arguments):
            kind = self.takes[index] if index < len(self.takes) else self.more
            if kind is not None and not kind_flag(argument) & kind:
                wanted = " or ".join(name for flag, name in NAMES if flag & kind)
                message = f"{self.name}(): argument {index + 1} is {kind_of(argument)}; it must be {wanted}."
                raise FaultError(message)


def kind_flag(value: Value) -> Kind:
    """Return the kind of a value."""
    return next((flag for one, flag in TYPES if isinstance(value, one)), Kind.NULL)
