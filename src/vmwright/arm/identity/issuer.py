"""The service's own issuer, as clients look for one: in the style of ADFS, and in that of Entra ID.

ADFS's is what the service names in its metadata: its clients then ask nobody else (azure-clients.md, 3.2).
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from vmwright.arm.http.answer import Answer, ok
from vmwright.arm.http.routing import Route
from vmwright.arm.identity.grants import GRANTS
from vmwright.arm.identity.keys import ALGORITHM
from vmwright.arm.identity.oauth import OAuthError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from vmwright.arm.http.call import Call
    from vmwright.arm.http.routing import Handler
    from vmwright.arm.identity.device_page import DevicePage
    from vmwright.arm.identity.grants import Grants
    from vmwright.arm.identity.keys import SigningKeys
    from vmwright.arm.identity.tokens import OwnTokens

ADFS = "adfs"
CONFIGURATION = ".well-known/openid-configuration"
DEVICE_PAGE = "oauth2/deviceauth"
KEYS = "discovery/keys"


class Issuer:
    """The endpoints of the issuer."""

    def __init__(
        self, *, grants: Grants, page: DevicePage, tokens: OwnTokens, keys: SigningKeys, tenant: str
    ) -> None:
        self._grants = grants
        self._page = page
        self._tokens = tokens
        self._keys = keys
        self._tenant = tenant

    def routes(self) -> Iterator[Route]:
        """Return the ways in; all are open, of course."""
        for base, authority in ((f"/{ADFS}", ADFS), ("/{tenant}", self._tenant)):
            yield _open("GET", f"{base}/{CONFIGURATION}", self._configuration(authority, "oauth2"))
            yield _open("GET", f"{base}/v2.0/{CONFIGURATION}", self._configuration(authority, "oauth2/v2.0"))
            for version in ("oauth2", "oauth2/v2.0"):
                yield _open("POST", f"{base}/{version}/token", self._checked(self._grants.token))
                yield _open("POST", f"{base}/{version}/devicecode", self._checked(self._device_code))
            yield _open("GET", f"{base}/{KEYS}", self._jwks)
            yield _open("GET", f"{base}/discovery/v2.0/keys", self._jwks)
        # az asks so for the id of a tenant that it was given the name of
        named = f"/{ADFS}/{{tenant}}/v2.0/{CONFIGURATION}"
        yield _open("GET", named, self._configuration(ADFS, "oauth2"))
        yield _open("GET", f"/{ADFS}/{DEVICE_PAGE}", self._page.show)
        yield _open("POST", f"/{ADFS}/{DEVICE_PAGE}", self._page.take)

    def _configuration(self, authority: str, endpoints: str) -> Handler:
        async def answer(call: Call) -> Answer:
            base = f"{call.base_url}/{authority}"
            return ok(
                {
                    "issuer": self._tokens.issuer,
                    "authorization_endpoint": f"{base}/{endpoints}/authorize",
                    "token_endpoint": f"{base}/{endpoints}/token",
                    "device_authorization_endpoint": f"{base}/{endpoints}/devicecode",
                    "jwks_uri": f"{base}/{KEYS}",
                    "grant_types_supported": list(GRANTS),
                    "response_types_supported": ["token"],
                    "response_modes_supported": ["query"],
                    "subject_types_supported": ["public"],
                    "scopes_supported": ["openid"],
                    "id_token_signing_alg_values_supported": [ALGORITHM],
                    "token_endpoint_auth_methods_supported": ["client_secret_post"],
                }
            )

        return self._checked(answer)

    async def _device_code(self, call: Call) -> Answer:
        return await self._grants.device_code(call, page=f"{call.base_url}/{ADFS}/{DEVICE_PAGE}")

    async def _jwks(self, call: Call) -> Answer:  # noqa: ARG002 - as a handler
        return ok(await asyncio.to_thread(self._keys.public))

    def _checked(self, handler: Callable[[Call], Awaitable[Answer]]) -> Handler:
        """Answer refusals as OAuth has them, also that of a tenant which is not here."""

        async def answer(call: Call) -> Answer:
            try:
                self._check_tenant(call.names.get("tenant", self._tenant))
                return await handler(call)
            except OAuthError as error:
                return error.answer(call)

        return answer

    def _check_tenant(self, tenant: str) -> None:
        """Refuse the ids of other tenants; any name is this one's, as there is but one."""
        try:
            is_other = str(uuid.UUID(tenant)) != self._tenant
        except ValueError:
            return
        if is_other:
            raise OAuthError(
                "invalid_request", 90002, f"Tenant '{tenant}' not found; this service's is {self._tenant}."
            )


def _open(method: str, pattern: str, handler: Handler) -> Route:
    return Route(method=method, pattern=pattern, handler=handler, is_open=True)
