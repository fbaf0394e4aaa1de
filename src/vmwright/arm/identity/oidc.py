"""Tokens of a real issuer, such as Microsoft Entra ID: who they say calls, and which roles they give."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError

from vmwright.arm.access.principal import Principal
from vmwright.arm.identity.signatures import claims_of, key_id
from vmwright.arm.identity.tokens import expired, invalid, wrong_audience

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vmwright.arm.identity.issuer_keys import IssuerKeys
    from vmwright.settings import OidcSettings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
LEEWAY_SECONDS = 60
NAMES = ("preferred_username", "upn", "unique_name", "name", "app_displayname", "sub")


class OidcTokens:
    """Verifies tokens by the configuration ``service.oidc``."""

    def __init__(
        self, oidc: OidcSettings, keys: IssuerKeys, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._oidc = oidc
        self._keys = keys
        self._clock = clock

    async def principal_of(self, token: str) -> Principal:
        """Return whose a token is.

        :raises TokenError: it is not valid.
        :raises ArmError: the issuer cannot be asked for its keys.
        """
        try:
            key = await self._keys.find(key_id(token))
            if key is None:
                raise invalid()
            claims = claims_of(token, key, ALGORITHMS)
        except (JoseError, ValueError):
            raise invalid() from None
        self._check(claims)
        return _principal(claims, self._oidc)

    def _check(self, claims: dict[str, Any]) -> None:
        registry = jwt.JWTClaimsRegistry(
            now=int(self._clock()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._oidc.issuer},
            aud={"essential": True, "value": self._oidc.audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            registry.validate(claims)
        except ExpiredTokenError:
            raise expired(claims["exp"]) from None
        except InvalidClaimError as error:
            if error.claim == "aud":
                raise wrong_audience(claims["aud"], self._oidc.audience) from None
            raise invalid() from None
        except JoseError:
            raise invalid() from None


def _principal(claims: Mapping[str, Any], oidc: OidcSettings) -> Principal:
    named = (claims.get(name) for name in (oidc.name_claim, *NAMES))
    name = next((text for text in named if isinstance(text, str) and text), "")
    given = claims.get(oidc.role_claim, [])
    values = given if isinstance(given, list) else str(given).split()
    roles = {oidc.roles[value] for value in values if isinstance(value, str) and value in oidc.roles}
    return Principal(
        id=_object_id(claims, oidc), name=name, app_id=_app_id(claims), roles=tuple(sorted(roles))
    )


def _object_id(claims: Mapping[str, Any], oidc: OidcSettings) -> str:
    """Return the object id, a UUID; of an issuer that has others, one that is always the same for each."""
    subject = str(claims.get(oidc.id_claim) or claims["sub"])
    try:
        return str(uuid.UUID(subject))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{oidc.issuer}#{subject}"))


def _app_id(claims: Mapping[str, Any]) -> str:
    """Return the client id where a program calls in its own name, not in somebody's."""
    is_app = claims.get("idtyp") == "app" or claims.get("oid") == claims["sub"]
    return str(claims.get("appid") or claims.get("azp") or "") if is_app else ""
