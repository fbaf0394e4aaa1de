"""The public keys of a real issuer: fetched when they are needed, kept, fetched anew when it has others."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from vmwright.arm.http.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from vmwright.events import Events

    Fetch = Callable[[str], Awaitable[Any]]
    PublicKey = RSAKey | ECKey | OKPKey

FRESH_SECONDS = 3600.0
# Without an answer of the issuer its keys are still taken for so long.
USABLE_SECONDS = 24 * 3600.0
# Tokens with keys that do not exist may not make the service ask for them all the time.
AGAIN_SECONDS = 10.0
ANSWER_SECONDS = 10.0
MOST_BYTES = 1 << 20
DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class _Known:
    keys: Mapping[str, PublicKey]
    at: float


class IssuerKeys:
    """The keys of an issuer by their ids.

    :param fetch: returns the JSON at a URL, or raises what ``fetch_json`` does.
    """

    def __init__(
        self,
        issuer: str,
        events: Events,
        *,
        fetch: Fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._events = events
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: _Known | None = None
        self._asked_at: float | None = None

    async def find(self, kid: str) -> PublicKey | None:
        """Return a key, None where the issuer has none of this id.

        :raises ArmError: the issuer could not be asked for too long.
        """
        if not self._has(kid):
            async with self._lock:
                if not self._has(kid) and self._may_ask():
                    await self._ask()
        known = self._known
        if known is None or self._clock() - known.at > USABLE_SECONDS:
            raise ArmError(
                503,
                "ServiceUnavailable",
                "The issuer of tokens could not be asked for its keys. Try again later.",
                headers={"Retry-After": str(int(AGAIN_SECONDS))},
                is_gateways=True,
            )
        return known.keys.get(kid)

    def _has(self, kid: str) -> bool:
        known = self._known
        return known is not None and kid in known.keys and self._clock() - known.at < FRESH_SECONDS

    def _may_ask(self) -> bool:
        return self._asked_at is None or self._clock() - self._asked_at >= AGAIN_SECONDS

    async def _ask(self) -> None:
        self._asked_at = self._clock()
        try:
            keys = await self._published()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, LookupError, TypeError) as error:
            said = str(error) or type(error).__name__
            self._events.warn(f"the keys of {self._issuer} cannot be had: {said}")
            return
        self._known = _Known(keys, self._clock())

    async def _published(self) -> dict[str, PublicKey]:
        configuration = await self._fetch(self._issuer.rstrip("/") + DISCOVERY)
        if configuration["issuer"] != self._issuer:
            raise ValueError(f"it calls itself {configuration['issuer']}")
        found = (await self._fetch(str(configuration["jwks_uri"])))["keys"]
        return {str(key["kid"]): public for key in found if (public := _public(key))}


async def fetch_json(url: str) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON at an https URL, 1 MiB at most; redirects are not followed.

    :raises httpx2.HTTPError: there was no good answer.
    :raises ValueError: the URL or what is there is something else.
    """
    if not url.startswith("https://"):
        raise ValueError(f"{url} does not begin with https://")
    context = await asyncio.to_thread(httpx2.create_ssl_context)
    async with (
        httpx2.AsyncClient(verify=context, timeout=ANSWER_SECONDS) as client,
        client.stream("GET", url, headers={"Accept": "application/json"}) as response,
    ):
        response.raise_for_status()
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES >> 20} MiB at {url}")
    return httpx2.Response(200, content=bytes(content)).json()


def _public(key: Mapping[str, Any]) -> PublicKey | None:
    """Return a key that verifies; secrets that both sides know (``oct``) are none."""
    if "kid" not in key or key.get("use", "sig") != "sig":
        return None
    try:
        found = import_key(dict(key))
    except (JoseError, ValueError):
        return None
    return found if isinstance(found, RSAKey | ECKey | OKPKey) else None
