"""Secrets of principals as they are kept: salted, and slow to try (scrypt)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import string

# 16 MiB and about a tenth of a second for each try.
LOG_N, R, P = 14, 8, 5
MEMORY = 64 << 20
SALT_BYTES = 16
LETTERS = string.ascii_letters + string.digits


def random_secret() -> str:
    """Return a new secret of 256 bits, letters that nothing has to quote."""
    return "".join(secrets.choice(LETTERS) for _ in range(43))


def make(secret: str) -> str:
    """Return what is kept of a secret: ``scrypt$log2(n)$r$p$salt$hash``."""
    salt = secrets.token_bytes(SALT_BYTES)
    digest = _digest(secret, salt, LOG_N, R, P)
    return "$".join(("scrypt", str(LOG_N), str(R), str(P), _text(salt), _text(digest)))


def matches(secret: str, kept: str | None) -> bool:
    """Whether a secret is the one that was kept; None is nobody's, and takes as long."""
    _, log_n, r, p, salt, digest = (kept or NOBODYS).split("$")
    tried = _digest(secret, base64.b64decode(salt), int(log_n), int(r), int(p))
    return hmac.compare_digest(tried, base64.b64decode(digest)) and kept is not None


def stamp(kept: str | None) -> str:
    """Return what changes whenever the secret does, and tells nothing of it."""
    return hashlib.sha256(b"stamp" + (kept or "").encode()).hexdigest()[:16]


def _digest(secret: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=1 << log_n, r=r, p=p, maxmem=MEMORY)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


NOBODYS = "$".join(("scrypt", str(LOG_N), str(R), str(P), _text(bytes(SALT_BYTES)), _text(bytes(64))))
