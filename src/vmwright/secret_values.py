"""Reading the secrets of the configuration: written in it, in a variable, or in a file."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr

from vmwright.errors import VmwrightError
from vmwright.settings import SecretReference


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
