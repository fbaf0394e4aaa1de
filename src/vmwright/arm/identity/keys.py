"""The keys that the service signs its tokens with.

Each is a file, named by when it was made. The newest signs; the others verify until the last token that they
may have signed has expired, and are removed then.
"""

from __future__ import annotations

import itertools
import re
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from vmwright.arm.identity import private_files
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from joserfc.jwk import KeyParameters

ALGORITHM = "RS256"
BITS = 2048
MADE = "%Y%m%dT%H%M%SZ"
KID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{16}", re.ASCII)
SUFFIX = ".pem"


@dataclass(frozen=True, slots=True)
class _Dated:
    made_at: datetime
    key: RSAKey


class SigningKeys:
    """The keys in a folder, which several processes of a host may share.

    :param life: after which a new key signs.
    :param longest_token: for how long the longest-lived token is valid.
    """

    def __init__(
        self, folder: Path, *, life: timedelta, longest_token: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self._folder = folder
        self._life = life
        self._longest_token = longest_token
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: tuple[_Dated, ...] = ()

    def signing(self) -> RSAKey:
        """Return the key to sign with now; a new one where the newest is too old.

        :raises VmwrightError: the keys cannot be read or written.
        """
        with self._lock:
            if not self._keys or self._is_old(self._keys[-1]):
                self._keys = self._renew()
            return self._keys[-1].key

    def verifying(self, kid: str) -> RSAKey | None:
        """Return the key of an id, None where there is none (any more).

        :raises VmwrightError: the keys cannot be read.
        """
        with self._lock:
            if all(dated.key.kid != kid for dated in self._keys) and self._is_there(kid):
                # another process has made it
                self._keys = self._read()
            good = self._good(self._keys)
        return next((dated.key for dated in good if dated.key.kid == kid), None)

    def public(self) -> dict[str, Any]:
        """Return the keys as the world may know them: a JWKS.

        :raises VmwrightError: the keys cannot be read or written.
        """
        self.signing()
        with self._lock:
            good = self._good(self._keys)
        return dict(KeySet([dated.key for dated in good]).as_dict(private=False))

    def _is_there(self, kid: str) -> bool:
        return KID.fullmatch(kid) is not None and (self._folder / f"{kid}{SUFFIX}").exists()

    def _is_old(self, dated: _Dated) -> bool:
        return self._clock() >= dated.made_at + self._life

    def _renew(self) -> tuple[_Dated, ...]:
        with private_files.changing(self._folder):
            keys = self._load()
            if not keys or self._is_old(keys[-1]):
                keys = (*keys, self._make())
            good = self._good(keys)
            for dated in keys:
                if dated not in good:
                    (self._folder / f"{dated.key.kid}{SUFFIX}").unlink(missing_ok=True)
        return good

    def _read(self) -> tuple[_Dated, ...]:
        with private_files.changing(self._folder):
            return self._load()

    def _good(self, keys: tuple[_Dated, ...]) -> tuple[_Dated, ...]:
        """Leave out keys all of whose tokens have expired: none has signed since the next one was made."""
        oldest = self._clock() - self._longest_token
        successors = itertools.pairwise(keys)
        return (*(dated for dated, next_one in successors if next_one.made_at > oldest), *keys[-1:])

    def _load(self) -> tuple[_Dated, ...]:
        return tuple(_load(file) for file in sorted(self._folder.glob(f"*{SUFFIX}")))

    def _make(self) -> _Dated:
        made_at = self._clock()
        kid = f"{made_at:{MADE}}-{secrets.token_hex(8)}"
        key = RSAKey.generate_key(BITS, parameters=_parameters(kid))
        private_files.write(self._folder / f"{kid}{SUFFIX}", key.as_pem(private=True))
        return _Dated(made_at.replace(microsecond=0), key)


def _load(file: Path) -> _Dated:
    try:
        made_at = datetime.strptime(file.stem.partition("-")[0], MADE).replace(tzinfo=UTC)
        return _Dated(made_at, RSAKey.import_key(file.read_bytes(), parameters=_parameters(file.stem)))
    except (ValueError, JoseError):
        raise VmwrightError(
            f"{file} is not a key of the service", target=str(file), hint="remove it: its tokens end with it"
        ) from None


def _parameters(kid: str) -> KeyParameters:
    return {"kid": kid, "use": "sig", "alg": ALGORITHM}
