"""Whether who imports an image may read what it is made of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from vmwright.arm.access.decisions import linked_refusal
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.compute.imports import to_read
from vmwright.arm.providers.compute.origins import Origin

if TYPE_CHECKING:
    from vmwright.arm.access.actions import Wanted
    from vmwright.arm.access.principal import Principal
    from vmwright.arm.http.call import Call
    from vmwright.arm.ids import ResourceId
    from vmwright.arm.providers.compute.documents import Wish
    from vmwright.arm.service import Service


class Rights(Protocol):
    """Knows who may do what: ``access/decisions.py``."""

    async def require(self, principal: Principal, wanted: Wanted) -> None:
        """Make sure that a principal may do something.

        :raises ArmError: it may not.
        """


async def check_linked(call: Call, wanted: ResourceId, wish: Wish, service: Service, rights: Rights) -> None:
    """Check that a caller may read the source of what it wants to make.

    :raises ArmError: it may not, in ARM's words.
    """
    if wish.origin is None:
        return
    linked = await asyncio.to_thread(to_read, Origin.kept(wish.origin), service)
    if linked is None:
        return
    try:
        await rights.require(call.principal, linked)
    except ArmError as error:
        refused = [(linked.action, linked.scope)]
        raise linked_refusal(call.principal, f"{wanted.type}/write", wanted, refused) from error
