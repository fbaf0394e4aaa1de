"""What is said about a template: one frozen record a finding, made from the rules in ``catalogue``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error: not built. A warning: built, but look at it. A note: good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: its JSON path (``properties.customize[1].scriptUri``), line and column from 1."""

    path: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding.

    ``code`` is stable (docs/templates.md lists them all), ``message`` says what is wrong, ``hint`` what to
    write, ``source`` where the rule comes from, ``azure_message`` what the service itself says, verbatim,
    where that is known. ``line`` and ``column`` count from 1; 0 means: not a place in the file.
    """

    code: str
    severity: Severity
    message: str
    path: str = ""
    line: int = 0
    column: int = 0
    hint: str = ""
    source: str = ""
    azure_message: str = ""

    @property
    def is_error(self) -> bool:
        """Whether it makes the template invalid."""
        return self.severity is Severity.ERROR

    @property
    def is_unsupported(self) -> bool:
        """Whether the template is right but asks for something that this version does not build yet."""
        return self.code.startswith("unsupported/")
