"""The tokens of the service's own issuer: JWTs, signed, for an hour.

A refresh token is one, too, for the issuer itself: it ends with its principal, and with that one's secret.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError

from vmwright.arm.access.principal import Principal
from vmwright.arm.identity.keys import ALGORITHM
from vmwright.arm.identity.principals import Kind
from vmwright.arm.identity.signatures import claims_of, key_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmwright.arm.identity.address import Address
    from vmwright.arm.identity.keys import SigningKeys
    from vmwright.arm.identity.principals import Account, Principals

REFRESHED_WITHIN = timedelta(days=14)
FOR_REFRESH = "urn:vmwright:refresh"


class TokenError(Exception):
    """A token that is not taken; ``code`` is ARM's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Tokens(Protocol):
    """What tells whose a token is."""

    async def principal_of(self, token: str) -> Principal:
        """Return whose a token is.

        :raises TokenError: it is not valid.
        :raises ArmError: it cannot be told now.
        """


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh token is good for: a token for ``audience``."""

    account: Account
    audience: str


def invalid() -> TokenError:
    """Return the error of a token that is none, or somebody else's: the same for all that may be wrong."""
    return TokenError("InvalidAuthenticationToken", "The access token is invalid.")


def wrong_audience(audience: object, allowed: str) -> TokenError:
    """Return the error of a token that is for something else."""
    return TokenError(
        "InvalidAuthenticationTokenAudience",
        f"The access token has been obtained for wrong audience or resource '{audience}'. It should exactly "
        f"match with one of the allowed audiences '{allowed}'.",
    )


def expired(expiry: float) -> TokenError:
    """Return the error of a token that was valid until ``expiry``, seconds since 1970 (before: 0)."""
    until = datetime.fromtimestamp(max(expiry, 0), UTC)
    return TokenError(
        "ExpiredAuthenticationToken",
        f"The access token expiry UTC time '{until}' is earlier than current UTC time '{datetime.now(UTC)}'.",
    )


class OwnTokens:
    """Gives out tokens and takes them back. What is not async blocks."""

    def __init__(
        self,
        *,
        keys: SigningKeys,
        principals: Principals,
        address: Address,
        tenant: str,
        lifetime: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._keys = keys
        self._principals = principals
        self._address = address
        self._tenant = tenant
        self._clock = clock
        self.lifetime = lifetime

    @property
    def issuer(self) -> str:
        """The claim ``iss``: ``https://name:port/tenant/v2.0``."""
        return f"{self._address.url}/{self._tenant}/v2.0"

    def access(self, account: Account, *, audience: str, client_id: str) -> str:
        """Return a token for the service."""
        is_app = account.kind is Kind.SERVICE_PRINCIPAL
        claims = {"aud": audience, "appid": client_id, "idtyp": "app" if is_app else "user", "ver": "1.0"}
        return self._sign({**claims, **self._about(account)}, self.lifetime)

    def identity(self, account: Account, *, client_id: str, nonce: str) -> str:
        """Return an id_token: it tells a client who has logged in, and is good for nothing else."""
        claims = {"aud": client_id, "ver": "2.0", **({"nonce": nonce} if nonce else {})}
        return self._sign({**claims, **self._about(account)}, self.lifetime)

    def refresh(self, account: Account, *, audience: str, client_id: str) -> str:
        """Return what a client has new tokens for, without a secret."""
        claims = {"aud": FOR_REFRESH, "sub": account.id, "azp": client_id, "stamp": account.stamp}
        return self._sign({**claims, "resource": audience}, REFRESHED_WITHIN)

    def refreshed(self, token: str, *, client_id: str) -> Refreshed:
        """Return what a refresh token is good for.

        :raises TokenError: it is not valid (any more), or was given to another client.
        """
        claims = self._verified(token)
        if claims.get("aud") != FOR_REFRESH or claims.get("azp") != client_id:
            raise invalid()
        account = self._principals.find(claims["sub"])
        if account is None or account.stamp != claims.get("stamp"):
            raise invalid()
        return Refreshed(account, claims["resource"])

    async def principal_of(self, token: str) -> Principal:
        """Return whose a token is.

        :raises TokenError: it is not valid.
        """
        return await asyncio.to_thread(self.whose, token)

    def whose(self, token: str) -> Principal:
        """Return whose a token for the service is.

        :raises TokenError: it is not valid, or its principal is not there any more.
        """
        claims = self._verified(token)
        audience = claims["aud"]
        if "appid" not in claims:
            # an id_token, whose audience its client has chosen
            raise invalid()
        if not (isinstance(audience, str) and self._address.is_audience(audience)):
            raise wrong_audience(audience, f"{self._address.url}/")
        account = self._principals.find(claims["sub"])
        if account is None:
            raise invalid()
        return Principal(id=account.id, name=account.name, app_id=account.app_id)

    def _about(self, account: Account) -> dict[str, Any]:
        claims = {"sub": account.id, "oid": account.id, "tid": self._tenant, "name": account.name}
        return {**claims, "upn": account.name, "preferred_username": account.name}

    def _sign(self, claims: dict[str, Any], lifetime: timedelta) -> str:
        key, now = self._keys.signing(), int(self._clock().timestamp())
        times = {"iat": now, "nbf": now, "exp": now + int(lifetime.total_seconds())}
        own = {"iss": self.issuer, "jti": str(uuid.uuid4())}
        header = {"alg": ALGORITHM, "kid": key.kid}
        return jwt.encode(header, {**claims, **own, **times}, key, algorithms=[ALGORITHM])

    def _verified(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that the service itself has signed, and that has not expired."""
        try:
            key = self._keys.verifying(key_id(token))
            if key is None:
                raise invalid()
            claims = claims_of(token, key, [ALGORITHM])
            registry = jwt.JWTClaimsRegistry(
                now=int(self._clock().timestamp()),
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True},
                sub={"essential": True},
                exp={"essential": True},
            )
            registry.validate(claims)
        except ExpiredTokenError:
            raise expired(claims["exp"]) from None
        except (JoseError, ValueError):
            raise invalid() from None
        return claims
