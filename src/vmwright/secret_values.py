"""Secrets: those of the configuration, wherever they are written, and those that stand in addresses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus, urlsplit

from pydantic import SecretStr

from vmwright.errors import VmwrightError
from vmwright.settings import SecretReference

if TYPE_CHECKING:
    from collections.abc import Iterator

# Names of query parameters that grant access; ``sig`` is that of Azure's shared access signatures.
SECRET_PARAMETERS = frozenset(
    {"sig", "signature", "token", "access_token", "code", "key", "api_key", "password", "secret"}
)
# Parts of the names of others that do (``X-Amz-Security-Token``), where the value is no short word.
SECRET_WORDS = ("sig", "token", "key", "password", "secret")
SECRET_LENGTH = 8


def read_secret(
    secret: SecretStr | SecretReference | None, *, key: str, failure: type[VmwrightError] = VmwrightError
) -> str:
    """Return a secret without the space around it.

    :param key: the configuration key that it stands at, for the message of an error.
    :raises VmwrightError: the variable or file cannot be read, or there is nothing in it; a ``failure``.
    """
    if not (value := _read(secret, key, failure).strip()):
        raise failure(f"{key} is empty", target=key)
    return value


def secrets_in(url: str) -> Iterator[str]:
    """Yield what nobody may read of an address: its password, what grants access; decoded and as written."""
    parts = urlsplit(url)
    if parts.password:
        yield from (unquote(parts.password), parts.password)
    for pair in parts.query.split("&"):
        name, _, value = pair.partition("=")
        if value and _grants_access(unquote_plus(name).lower(), unquote_plus(value)):
            yield from (unquote_plus(value), value)


def _read(secret: SecretStr | SecretReference | None, key: str, failure: type[VmwrightError]) -> str:
    match secret:
        case SecretStr():
            return secret.get_secret_value()
        case SecretReference(env=str(name)):
            if value := os.environ.get(name):
                return value
            raise failure(
                f"The environment variable {name} is not set", target=key, hint=f"{key} is read from it"
            )
        case SecretReference(file=Path() as file):
            try:
                return file.expanduser().read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                raise failure(
                    f"{file} cannot be read: {reason}", target=key, hint=f"{key} is read from it"
                ) from None
        case _:
            return ""


def _grants_access(name: str, value: str) -> bool:
    is_long = len(value) >= SECRET_LENGTH
    return name in SECRET_PARAMETERS or (is_long and any(word in name for word in SECRET_WORDS))
