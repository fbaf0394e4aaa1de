"""What must not be shown, replaced in what is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmwright.template.deployment.values import Value

REDACTED = "******"


def hide(text: str, secrets: Sequence[str]) -> str:
    """Return a text without secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return text


def hidden(value: Value, secrets: Sequence[str]) -> Value:
    """Return JSON without secrets: piece by piece, for a secret may be ``1`` or ``"``."""
    match value:
        case str():
            return hide(value, secrets)
        case dict():
            return {hide(key, secrets): hidden(held, secrets) for key, held in value.items()}
        case list():
            return [hidden(held, secrets) for held in value]
        case int() if not isinstance(value, bool) and str(value) in secrets:
            return REDACTED
    return value
