"""Where the service is: by which names clients reach it, and what tokens for it are made out to."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from vmwright.settings import ServiceSettings

LOOPBACK = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - compared, not listened on
GRAPH = "graph"
# What clients ask a token for where nobody tells them of another cloud (azure-clients.md, section 1).
AZURES_OWN = {"https://management.azure.com", "https://management.core.windows.net"}


@dataclass(frozen=True, slots=True)
class Address:
    """The names of a service, in lower case, and its port; the first name is what users are told."""

    names: tuple[str, ...]
    port: int

    @property
    def url(self) -> str:
        """``https://name:port``, without a slash at the end."""
        name = self.names[0]
        return f"https://[{name}]:{self.port}" if ":" in name else f"https://{name}:{self.port}"

    def is_audience(self, audience: str) -> bool:
        """Whether a token for this is one for the service: any of its names counts, at any port."""
        if audience.rstrip("/") in AZURES_OWN:
            return True
        try:
            parts = urlsplit(audience)
        except ValueError:
            return False
        is_whole = parts.path.strip("/").lower() in {"", GRAPH} and not (parts.query or parts.fragment)
        return parts.scheme == "https" and parts.hostname in self.names and "@" not in audience and is_whole


def address_of(settings: ServiceSettings) -> Address:
    """Return the address of the configuration; one that listens everywhere has the host's name, too."""
    host = settings.host.lower()
    own = socket.gethostname().lower() if host in EVERYWHERE else host
    further = (name.lower() for name in settings.names)
    ordered = (*LOOPBACK, own, *further) if is_loopback(own) else (own, *further, *LOOPBACK)
    return Address(tuple(dict.fromkeys(ordered)), settings.port)


def is_loopback(host: str) -> bool:
    """Whether only this host's users reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == LOOPBACK[0]
