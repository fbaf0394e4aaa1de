"""Microsoft.Storage, as much of it as image templates have: the accounts of their staging groups.

accounts   an account as a resource: made and removed with its template's staging group, shown, listed
blobs      what is in one: the VHDs and the logs of the template's builds
downloads  blobs over HTTP, with a token or a signed address (signatures), whole or in part (ranges, pages)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.providers.storage import accounts
from vmwright.arm.providers.storage.downloads import Downloads
from vmwright.arm.providers.storage.signatures import signatures_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.access.decisions import Decisions
    from vmwright.arm.access.gate import Authenticator
    from vmwright.arm.http.routing import Route
    from vmwright.arm.service import Service

__all__ = ["routes"]


def routes(service: Service, authenticator: Authenticator, decisions: Decisions) -> Iterator[Route]:
    """Give the ways to storage accounts, and to what is in them."""
    signatures = signatures_of(service.settings)
    yield from accounts.routes(service, signatures)
    yield from Downloads(service, authenticator, decisions, signatures).routes()
