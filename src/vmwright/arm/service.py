"""What the providers of one service work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmwright.arm.operations import Operations
    from vmwright.arm.store import ResourceStore
    from vmwright.events import Events
    from vmwright.images import Images
    from vmwright.settings import Settings
    from vmwright.state.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The rooms below, for one service.

    :param subscription: the one subscription that this service has, a UUID; ``tenant`` likewise.
    :param events: is told of what concerns no single request.
    """

    settings: Settings
    database: Database
    images: Images
    store: ResourceStore
    operations: Operations
    events: Events
    subscription: str
    tenant: str
