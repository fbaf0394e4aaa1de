"""Signed addresses of blobs: whoever has one may read the blob until it expires, without a token.

They look like a shared access signature of Azure Storage (``sv``, ``sr``, ``sp``, ``st``, ``se``, ``sig``),
and are signed with a key of this home, made when it is first needed. Removing its file ends them all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from vmwright.arm.http.errors import ArmError
from vmwright.arm.identity import private_files
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from vmwright.settings import Settings

KEY_FILE = "download-key"
KEY_BYTES = 32
VERSION = "2018-11-09"
READ = "r"
FORMAT = "%Y-%m-%dT%H:%M:%SZ"
SIGNED = ("sv", "sr", "sp", "st", "se")
SIGNATURE = "sig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a signed address lets its bearer read.

    :param resource: ``account/container/blob``, or ``account/container`` for all that is in it.
    :param kind: ``b`` or ``c``, accordingly.
    """

    resource: str
    kind: str
    expires_at: datetime
    starts_at: datetime | None = None


class Signatures:
    """Signs addresses and checks those that were signed.

    :param folder: of the service's keys.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: bytes | None = None

    def sign(self, grant: Grant) -> str:
        """Return the query of a signed address.

        :raises VmwrightError: the key cannot be read or written.
        """
        fields = {"sv": VERSION, "sr": grant.kind, "sp": READ}
        if grant.starts_at is not None:
            fields["st"] = f"{grant.starts_at.astimezone(UTC):{FORMAT}}"
        fields["se"] = f"{grant.expires_at.astimezone(UTC):{FORMAT}}"
        return urlencode({**fields, SIGNATURE: self._signature(fields, grant.resource)})

    def check(self, query: Mapping[str, str], account: str, container: str, blob: str) -> None:
        """Check the query of a signed address.

        :raises ArmError: it was not signed here, or for something else, or is not valid now (403).
        :raises VmwrightError: the key cannot be read or written.
        """
        resources = {"b": f"{account}/{container}/{blob}", "c": f"{account}/{container}"}
        resource = resources.get(query.get("sr", ""), "")
        fields = {name: query[name] for name in SIGNED if name in query}
        expected = self._signature(fields, resource).encode()
        given = query.get(SIGNATURE, "").encode("utf-8", "replace")
        if not hmac.compare_digest(expected, given) or not resource:
            raise _refused("The signature is not valid for this address.")
        # from here on, the fields are as they were signed
        now = self._clock()
        if "st" in fields and now < _time(fields["st"]):
            raise _refused(f"The signature is not valid before {fields['st']}.")
        if now >= _time(fields["se"]):
            raise _refused(f"The signature has expired: it was valid until {fields['se']}.")

    def _signature(self, fields: Mapping[str, str], resource: str) -> str:
        signed = "\n".join([resource, *(f"{name}={fields.get(name, '')}" for name in SIGNED)])
        digest = hmac.digest(self._key(), signed.encode("utf-8", "replace"), hashlib.sha256)
        return base64.b64encode(digest).decode()

    def _key(self) -> bytes:
        with self._lock:
            if self._kept is None:
                self._kept = _provided(self._folder)
            return self._kept


def signatures_of(settings: Settings) -> Signatures:
    """Return what signs addresses with the key of a home."""
    return Signatures(private_files.folder_of(settings), clock=lambda: datetime.now(UTC))


def _provided(folder: Path) -> bytes:
    """Return the key in a folder, made where there is none."""
    file = folder / KEY_FILE
    with private_files.changing(folder):
        if not file.exists():
            private_files.write(file, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        kept = file.read_bytes()
    try:
        key = base64.b64decode(kept.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise VmwrightError(
            f"{file} is not a key of the service",
            target=str(file),
            hint="remove it: addresses that it has signed end with it",
        )
    return key


def _time(text: str) -> datetime:
    return datetime.strptime(text, FORMAT).replace(tzinfo=UTC)


def _refused(why: str) -> ArmError:
    return ArmError(
        403,
        "AuthenticationFailed",
        f"Server failed to authenticate the request. {why}",
        headers={"x-ms-error-code": "AuthenticationFailed"},
    )
