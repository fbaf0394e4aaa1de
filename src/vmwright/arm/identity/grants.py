"""The token endpoint: what is given for a secret, a password, a refresh token or a device's code."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import TYPE_CHECKING, Any

from vmwright.arm.http.answer import Answer
from vmwright.arm.identity.devices import POLL_SECONDS, VALID_SECONDS
from vmwright.arm.identity.logins import LoginError
from vmwright.arm.identity.oauth import PRIVATE, OAuthError, form_of, refused_login, required
from vmwright.arm.identity.tokens import TokenError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.arm.http.call import Call
    from vmwright.arm.identity.address import Address
    from vmwright.arm.identity.devices import Devices
    from vmwright.arm.identity.logins import Logins
    from vmwright.arm.identity.principals import Account
    from vmwright.arm.identity.tokens import OwnTokens

DEVICE_GRANTS = {"urn:ietf:params:oauth:grant-type:device_code", "device_code"}
GRANTS = ("client_credentials", "password", "refresh_token", *sorted(DEVICE_GRANTS))
DEFAULT_SCOPE = "/.default"
DELEGATED_SCOPE = "/user_impersonation"


class Grants:
    """Gives tokens."""

    def __init__(
        self, *, tokens: OwnTokens, logins: Logins, devices: Devices, address: Address, tenant: str
    ) -> None:
        self._tokens = tokens
        self._logins = logins
        self._devices = devices
        self._address = address
        self._tenant = tenant

    async def token(self, call: Call) -> Answer:
        """Answer a request for a token.

        :raises OAuthError: there is none for it.
        """
        form = form_of(call)
        match required(form, "grant_type"):
            case "client_credentials":
                return await self._of_client(call, form)
            case "password":
                return await self._of_password(call, form)
            case "refresh_token":
                return await self._of_refresh_token(call, form)
            case grant if grant in DEVICE_GRANTS:
                return await self._of_device(form)
            case grant:
                raise OAuthError(
                    "unsupported_grant_type",
                    70003,
                    f"The app requested an unsupported grant type '{grant}'; there are {', '.join(GRANTS)}.",
                )

    async def device_code(self, call: Call, *, page: str) -> Answer:
        """Answer a device that wants a code.

        :param page: URL at which it is confirmed.
        :raises OAuthError: there is none for it.
        """
        form = form_of(call)
        device = self._devices.begin(
            client_id=required(form, "client_id"), audience=self._audience(call, form)
        )
        message = f"To sign in, open the page {page} and enter the code {device.user_code}."
        body = {
            "user_code": device.user_code,
            "device_code": device.device_code,
            "verification_uri": page,
            "verification_url": page,
            "verification_uri_complete": f"{page}?user_code={device.user_code}",
            "expires_in": VALID_SECONDS,
            "interval": POLL_SECONDS,
            "message": message,
        }
        return Answer(body=body, headers=PRIVATE)

    async def _of_client(self, call: Call, form: Mapping[str, str]) -> Answer:
        client_id, audience = required(form, "client_id"), self._audience(call, form)
        account = await self._login(client_id, required(form, "client_secret"), is_app=True)
        # service principals have neither a refresh token nor an id_token: they have their secret
        given = await asyncio.to_thread(self._access, account, audience=audience, client_id=client_id)
        return Answer(body=given, headers=PRIVATE)

    async def _of_password(self, call: Call, form: Mapping[str, str]) -> Answer:
        audience = self._audience(call, form)
        account = await self._login(required(form, "username"), required(form, "password"), is_app=False)
        return await self._all(account, form, audience=audience)

    async def _of_refresh_token(self, call: Call, form: Mapping[str, str]) -> Answer:
        token, client_id = required(form, "refresh_token"), required(form, "client_id")
        try:
            refreshed = await asyncio.to_thread(self._tokens.refreshed, token, client_id=client_id)
        except TokenError:
            raise OAuthError(
                "invalid_grant", 70008, "The refresh token has expired or was revoked: log in again."
            ) from None
        audience = self._audience(call, form, default=refreshed.audience)
        return await self._all(refreshed.account, form, audience=audience)

    async def _of_device(self, form: Mapping[str, str]) -> Answer:
        client_id = required(form, "client_id")
        code = form.get("device_code") or required(form, "code")
        device = self._devices.poll(code, client_id)
        if device is None:
            raise OAuthError("expired_token", 70020, "The device code is unknown or has expired: begin anew.")
        if device.account is None:
            raise OAuthError("authorization_pending", 70016, "The code has not been entered yet.")
        return await self._all(device.account, form, audience=device.audience)

    async def _login(self, login: str, secret: str, *, is_app: bool) -> Account:
        try:
            return await self._logins.check(login, secret)
        except LoginError as error:
            raise refused_login(error, is_app=is_app) from None

    async def _all(self, account: Account, form: Mapping[str, str], *, audience: str) -> Answer:
        """Return what somebody gets who has logged in."""
        client_id, nonce = required(form, "client_id"), form.get("nonce", "")

        def given() -> dict[str, Any]:
            return {
                **self._access(account, audience=audience, client_id=client_id),
                "refresh_token": self._tokens.refresh(account, audience=audience, client_id=client_id),
                "id_token": self._tokens.identity(account, client_id=client_id, nonce=nonce),
                "client_info": self._client_info(account),
            }

        return Answer(body=await asyncio.to_thread(given), headers=PRIVATE)

    def _access(self, account: Account, *, audience: str, client_id: str) -> dict[str, Any]:
        seconds, now = int(self._tokens.lifetime.total_seconds()), int(time.time())
        return {
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "expires_on": now + seconds,
            "not_before": now,
            "resource": audience,
            "access_token": self._tokens.access(account, audience=audience, client_id=client_id),
        }

    def _client_info(self, account: Account) -> str:
        info = json.dumps({"uid": account.id, "utid": self._tenant}).encode()
        return base64.urlsafe_b64encode(info).decode("ascii").rstrip("=")

    def _audience(self, call: Call, form: Mapping[str, str], *, default: str = "") -> str:
        """Return what a token is asked for: ``resource``, or the scope that is a URL.

        :raises OAuthError: it is not for this service.
        """
        scopes = (scope for scope in form.get("scope", "").split() if "://" in scope)
        scope = next(scopes, "").removesuffix(DEFAULT_SCOPE).removesuffix(DELEGATED_SCOPE)
        audience = form.get("resource") or scope or default or f"{call.base_url}/"
        if not self._address.is_audience(audience):
            raise OAuthError(
                "invalid_resource",
                500011,
                f"The resource principal named {audience} was not found in the tenant {self._tenant}; "
                f"this service is {self._address.url}/.",
            )
        return audience
