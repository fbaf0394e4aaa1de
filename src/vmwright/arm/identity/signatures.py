"""Reading signed tokens that anybody may have written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.jws import JWSRegistry, extract_compact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from joserfc.jwk import ECKey, OKPKey, RSAKey


def key_id(token: str) -> str:
    """Return which key a token says that it is signed with.

    :raises JoseError: it is no token.
    :raises ValueError: it is no token, or one whose header this service does not take.
    """
    header: object = extract_compact(token.encode()).headers()
    if not isinstance(header, dict) or "crit" in header or "b64" in header:
        raise ValueError("the header is not a token's")
    if not all(isinstance(header.get(name), str) for name in ("kid", "alg")):
        raise ValueError("the header names no key or no algorithm")
    return str(header["kid"])


def claims_of(token: str, key: RSAKey | ECKey | OKPKey, algorithms: Sequence[str]) -> dict[str, Any]:
    """Return the claims of a token that a key has signed; whether they hold is not looked at.

    :param token: one that ``key_id`` has read.
    :raises JoseError: the signature is not the key's, or not by one of the algorithms.
    :raises ValueError: the claims are not JSON.
    """
    # issuers have headers of their own: those mean nothing here
    registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
    try:
        return jwt.decode(token, key, registry=registry).claims
    except RecursionError:
        raise ValueError("the claims are nested too deep") from None
