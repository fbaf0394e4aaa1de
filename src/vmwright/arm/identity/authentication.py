"""Who calls: the first half of the gate (``access/gate.py`` has the other, what they may do)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.http.errors import ArmError
from vmwright.arm.identity.tokens import TokenError

if TYPE_CHECKING:
    from vmwright.arm.access.principal import Principal
    from vmwright.arm.identity.tokens import Tokens

SCHEME = "bearer"
MISSING = "Authentication failed. The 'Authorization' header is missing."
MALFORMED = "Authentication failed. The 'Authorization' header is provided in an invalid format."
# What the header says: no text of a token gets there.
DESCRIPTIONS = {
    "AuthenticationFailed": "The authentication failed because of missing 'Authorization' header.",
    "AuthenticationFailedInvalidHeader": "The authentication scheme is not supported.",
    "ExpiredAuthenticationToken": "The access token has expired.",
    "InvalidAuthenticationTokenAudience": "The access token has been obtained for wrong audience.",
}
INVALID = "The access token is invalid."


class Authenticator:
    """Tells who calls from the header ``Authorization``.

    :param authority: URL at which clients log in.
    """

    def __init__(self, tokens: Tokens, *, authority: str) -> None:
        self._tokens = tokens
        self._authority = authority

    async def principal_of(self, authorization: str) -> Principal:
        """Return who calls.

        :param authorization: the header, "" without one.
        :raises ArmError: 401, as ARM has it; 503: the issuer of tokens cannot be asked for its keys.
        """
        if not authorization.strip():
            raise self._refusal("AuthenticationFailed", MISSING)
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != SCHEME or not (token := token.strip()).isascii():
            raise self._refusal("AuthenticationFailedInvalidHeader", MALFORMED)
        try:
            return await self._tokens.principal_of(token)
        except TokenError as error:
            raise self._refusal(error.code, error.message) from None

    def _refusal(self, code: str, message: str) -> ArmError:
        challenge = (
            f'Bearer authorization_uri="{self._authority}", error="invalid_token", '
            f'error_description="{DESCRIPTIONS.get(code, INVALID)}"'
        )
        return ArmError(401, code, message, headers={"WWW-Authenticate": challenge}, is_gateways=True)
