"""The HTTP transport that connects only to addresses that were checked."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

import httpx2

from vmwright.downloads import addresses

if TYPE_CHECKING:
    import ssl

PORTS = {"http": 80, "https": 443}


class CheckedTransport(httpx2.AsyncBaseTransport):
    """Resolves a host once, checks its addresses and connects to one of those, not to the name again:
    a name that changes between check and connection gains nothing. TLS still proves the name.

    Where the environment names a proxy (``https_proxy`` ...), the proxy connects: then only addresses
    written in the URL itself can be checked here.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        # Connections are pooled by address; keeping none alive keeps the names behind one address apart.
        self._direct = self._transport(proxy=None)
        self._proxied: list[httpx2.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request to the first address of its host that answers."""
        host = request.url.raw_host.decode("ascii")
        if proxy := _proxy_for(request.url, host):
            if (literal := addresses.literal(host)) is not None:
                addresses.check(literal, host=host)
            self._proxied.append(self._transport(proxy=proxy))
            return await self._proxied[-1].handle_async_request(request)
        try:
            found = await addresses.resolve(host, request.url.port or PORTS[request.url.scheme])
        except OSError as error:
            raise httpx2.ConnectError(str(error)) from error
        for address in found[:-1]:
            try:
                return await self._direct.handle_async_request(_pinned(request, host, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._direct.handle_async_request(_pinned(request, host, found[-1]))

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in (self._direct, *self._proxied):
            await transport.aclose()

    def _transport(self, *, proxy: str | None) -> httpx2.AsyncHTTPTransport:
        return httpx2.AsyncHTTPTransport(
            verify=self._context, proxy=proxy, limits=httpx2.Limits(max_keepalive_connections=0)
        )


def _pinned(request: httpx2.Request, host: str, address: str) -> httpx2.Request:
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )


def _proxy_for(url: httpx2.URL, host: str) -> str | None:
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return proxy if proxy and not proxy_bypass(host) else None
