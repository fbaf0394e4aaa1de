"""``GET /metadata/endpoints``: what this cloud is, for ``az cloud register`` (azure-clients.md, 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vmwright.arm.http.answer import Answer, ok
from vmwright.arm.http.routing import Route
from vmwright.arm.identity.issuer import ADFS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.http.call import Call
    from vmwright.settings import ServiceSettings

NAME = "vmwright"
PATTERN = "/metadata/endpoints"
# Before it, the answer had other keys; from the second on it is one object again.
LIST_SINCE = "2018-05-01"
OBJECT_SINCE = "2022-09-01"


class Metadata:
    """Describes the service to its clients."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings

    def routes(self) -> Iterator[Route]:
        """Return the way in."""
        yield Route(method="GET", pattern=PATTERN, handler=self._endpoints, is_open=True)

    async def _endpoints(self, call: Call) -> Answer:
        if "" < call.api_version < LIST_SINCE:
            return ok(self._old(call.base_url))
        cloud = self._cloud(call.base_url)
        return ok([cloud] if "" < call.api_version < OBJECT_SINCE else cloud)

    def _authentication(self, base_url: str) -> dict[str, object]:
        oidc = self._settings.oidc
        if oidc is None:
            login, audience, tenant = f"{base_url}/{ADFS}", f"{base_url}/", ADFS
        else:
            parts = urlsplit(oidc.issuer)
            login = oidc.login_endpoint or f"{parts.scheme}://{parts.netloc}"
            audience, tenant = oidc.audience, str(self._settings.tenant)
        return {
            "loginEndpoint": login,
            "audiences": [audience],
            "tenant": tenant,
            "identityProvider": "ADFS" if oidc is None else "AAD",
        }

    def _cloud(self, base_url: str) -> dict[str, object]:
        return {
            "name": NAME,
            "authentication": self._authentication(base_url),
            "resourceManager": base_url,
            "microsoftGraphResourceId": f"{base_url}/graph/",
            "graph": f"{base_url}/graph/",
            "graphAudience": f"{base_url}/graph/",
            "vmImageAliasDoc": f"{base_url}/aliases.json",
            "portal": base_url,
            "gallery": base_url,
            "suffixes": {},
        }

    def _old(self, base_url: str) -> dict[str, object]:
        authentication = self._authentication(base_url)
        shown = {key: authentication[key] for key in ("loginEndpoint", "audiences")}
        return {
            "galleryEndpoint": base_url,
            "graphEndpoint": f"{base_url}/graph/",
            "portalEndpoint": base_url,
            "authentication": shown,
        }
