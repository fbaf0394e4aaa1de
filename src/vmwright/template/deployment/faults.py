"""What stops the evaluation of an expression."""

from __future__ import annotations

from vmwright.template.catalogue import Rule


class FaultError(Exception):
    """An expression cannot be evaluated: the rule that says so, what is wrong, what to write."""

    def __init__(self, message: str, *, rule: Rule = Rule.ARM_EVALUATION, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.rule = rule
        self.hint = hint

    @property
    def is_unsupported(self) -> bool:
        """Whether Azure can evaluate it, and only this version, or this host, cannot."""
        return self.rule in {Rule.ARM_RUNTIME, Rule.ARM_FUNCTION_MISSING}


class OpenValueError(Exception):
    """An expression needs a value that is not there; whatever is missing has a problem of its own."""


def limit(message: str) -> FaultError:
    """Return the fault of a template that would grow beyond what is evaluated here."""
    return FaultError(message, rule=Rule.ARM_LIMIT)
