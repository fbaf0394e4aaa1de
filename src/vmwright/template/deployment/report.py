"""What is said of a deployment template while it is evaluated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vmwright.template.problems import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.template.catalogue import Rule
    from vmwright.template.deployment.faults import FaultError
    from vmwright.template.deployment.values import Value
    from vmwright.template.problems import Place


@dataclass(slots=True)
class Report:
    """Problems, secrets, and which functions with local defaults were used; a copy's problem is said once."""

    for_build: bool
    problems: dict[Problem, None] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    used: dict[str, None] = field(default_factory=dict)

    def say(self, problem: Problem) -> None:
        """Keep a problem."""
        self.problems.setdefault(problem)

    def fault(self, place: Place, fault: FaultError) -> None:
        """Keep what stopped the evaluation of an expression at ``place``."""
        self.say(fault.rule.at(place, fault.message, hint=fault.hint, severity=self._severity(fault.rule)))

    def missing(self, rule: Rule, place: Place, message: str, *, hint: str) -> None:
        """Keep that a value is not there: a note, or an error for a build."""
        self.say(rule.at(place, message, hint=hint, severity=self._severity(rule)))

    def keep_secret(self, value: Value) -> None:
        """Keep the texts of a secure parameter's value from being shown."""
        self.secrets.extend(text for text in _texts(value) if text not in self.secrets)

    def _severity(self, rule: Rule) -> Severity:
        is_note = rule.severity is Severity.NOTE
        return Severity.ERROR if is_note and self.for_build else rule.severity


def _texts(value: Value) -> Iterator[str]:
    match value:
        case str() if value:
            yield value
        case int() if not isinstance(value, bool):
            yield str(value)
        case list():
            for item in value:
                yield from _texts(item)
        case dict():
            for item in value.values():
                yield from _texts(item)
        case _:
            return
