"""Templates and parameters that are somewhere else: fetched through the one door to the network."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.deployments import parsing
from vmwright.arm.scratch import scratch
from vmwright.downloads import Downloader, Origin
from vmwright.errors import DownloadError
from vmwright.events import Events
from vmwright.template.document import MAX_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.arm.service import Service
    from vmwright.template.document import Object

ATTEMPTS = 2
KNOWN = frozenset({"uri", "querystring", "contentversion"})


class Links:
    """Fetches what links name, by the rules for what is asked for over the network."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def fetch(self, link: Object, key: str) -> Object:
        """Return the object that a link names.

        :param key: the link's own, such as templateLink.
        :raises ArmError: it names none.
        """
        for one in link.members:
            if one.key.casefold() not in KNOWN:
                raise _invalid(f"'{key}.{one.key}' is not known to this service; give a 'uri'.")
        uri = parsing.text(link, "uri")
        if not uri:
            raise _invalid(f"'{key}' has no 'uri'.")
        if query := parsing.text(link, "queryString"):
            uri = f"{uri}?{query.removeprefix('?')}"
        async with scratch(self._service) as folder:
            return parsing.parse_text(
                await self._download(uri, folder / "file", f"the deployment's {key}"),
                f"The content of '{key}' is not a JSON object",
                code="InvalidContentLink",
            )

    def shown(self, link: Object) -> str:
        """Return a link's address without what may be a secret of it."""
        return urlunsplit(urlsplit(parsing.text(link, "uri"))._replace(query="", fragment=""))

    async def _download(self, uri: str, file: Path, what: str) -> bytes:
        # a stream of its own: the service's would remember the secrets of all addresses
        events = Events(self._service.events.say)
        try:
            fetched = await Downloader(self._service.settings, events).fetch(
                uri,
                file,
                sha256=None,
                what=what,
                origin=Origin.SERVICE,
                max_bytes=MAX_BYTES,
                attempts=ATTEMPTS,
            )
        except DownloadError as error:
            hint = f" ({error.hint})" if error.hint else ""
            raise _invalid(f"Unable to download deployment content: {error.message}{hint}") from error
        return await asyncio.to_thread(fetched.path.read_bytes)


def _invalid(message: str) -> ArmError:
    return ArmError(400, "InvalidContentLink", message, is_gateways=True)
