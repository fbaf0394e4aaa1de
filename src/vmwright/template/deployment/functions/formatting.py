"""``format``: .NET's composite formatting, as far as templates use it."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

from vmwright.template.deployment.faults import FaultError
from vmwright.template.deployment.functions.function import Function, Kind
from vmwright.template.deployment.values import Value, check_length, text_of

PART = re.compile(
    r"\{\{|\}\}|\{(?P<index>[0-9]{1,3}+)\s*(?:,\s*(?P<width>-?[0-9]{1,7}+)\s*)?(?::(?P<form>[^{}]*+))?\}|[{}]"
)
STANDARD = re.compile(r"(?P<kind>[A-Za-z])(?P<digits>[0-9]{0,2})")
CUSTOM = re.compile(r"(?P<before>[^0#,.]*)(?P<digits>[0#,]*)(?:\.(?P<places>[0#]*))?(?P<after>[^0#,.]*)")


def formatted(pattern: str, *arguments: Value) -> str:
    """Fill ``{0}``, ``{1,10}``, ``{2:N0}`` ... with the arguments."""
    made = 0

    def replace(found: re.Match[str]) -> str:
        nonlocal made
        if found[0] in {"{{", "}}"}:
            return found[0][0]
        if found["index"] is None:
            raise FaultError(f"format(): a single `{found[0]}`; doubled, it stands for itself.")
        index = int(found["index"])
        if index >= len(arguments):
            raise FaultError(f"format(): {{{index}}} has no argument; there are {len(arguments)}.")
        text = _one(arguments[index], found["form"] or "")
        width = int(found["width"] or 0)
        made += max(len(text), abs(width))
        check_length(made)
        return text.ljust(-width) if width < 0 else text.rjust(width)

    check_length(len(pattern))
    return PART.sub(replace, pattern)


def _one(value: Value, form: str) -> str:
    # A format concerns numbers; texts, also those of dates, have none.
    if form and isinstance(value, int | float) and not isinstance(value, bool):
        number = Decimal(str(value))
        if standard := STANDARD.fullmatch(form):
            return _standard(number, standard["kind"], int(standard["digits"] or -1), form)
        return _custom(number, form)
    return text_of(value)


def _standard(number: Decimal, kind: str, digits: int, form: str) -> str:
    places = max(digits, 0) if digits >= 0 else 2
    whole = number == number.to_integral_value()
    match kind.upper():
        case "D" if whole:
            sign = "-" if number < 0 else ""
            return f"{sign}{abs(int(number)):0{max(digits, 1)}d}"
        case "X" if whole:
            text = f"{int(number) & 0xFFFFFFFFFFFFFFFF:X}" if number < 0 else f"{int(number):X}"
            text = text.rjust(max(digits, 0), "0")
            return text if kind == "X" else text.lower()
        case "F":
            return f"{_rounded(number, places):.{places}f}"
        case "N":
            return f"{_rounded(number, places):,.{places}f}"
        case "P":
            return f"{_rounded(number * 100, places):,.{places}f} %"
        case "G" | "R":
            return text_of(int(number) if whole else float(number))
        case _:
            raise FaultError(
                f"format(): `{form}` is no format of this number.", hint="D4, N0, F2, X2, P or 000"
            )


def _rounded(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def _custom(number: Decimal, form: str) -> str:
    found = CUSTOM.fullmatch(form)
    if found is None or not (found["digits"] or found["places"]):
        raise FaultError(f"format(): the format `{form}` is not known.", hint="D4, N0, F2, X2, P or 000")
    places = found["places"] or ""
    text = f"{abs(_rounded(number, len(places))):.{len(places)}f}"
    whole, _, fraction = text.partition(".")
    least = places.rfind("0") + 1
    fraction = fraction[:least] + fraction[least:].rstrip("0")
    whole = whole.lstrip("0").rjust(found["digits"].count("0"), "0")
    if "," in found["digits"] and whole:
        # Grouping keeps leading zeros: 0001234 is 0,001,234.
        whole = re.sub(r"(?<=[0-9])(?=(?:[0-9]{3})+$)", ",", whole)
    sign = "-" if number < 0 else ""
    return f"{sign}{found['before']}{whole}{'.' if fraction else ''}{fraction}{found['after']}"


FUNCTIONS = (Function("format", formatted, (Kind.TEXT,), more=Kind.ANY),)
