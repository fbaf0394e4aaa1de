"""Microsoft.VirtualMachineImages: image templates, their builds, run outputs and triggers.

templates      made, changed, listed     bodies, patching   reading what clients send
provisioning   the asynchronous part     shapes             what an answer shows in which api-version
finding, identities, links, staging      states             what is allowed when
runs, run_outputs, triggers, operations  names              ids, api-versions
following      fires triggers (watches)  addresses          where clients find VHDs and logs
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from vmwright.arm.providers.image_templates import operations, run_outputs, runs, templates, triggers
from vmwright.arm.providers.image_templates.bodies import read_sent
from vmwright.arm.providers.image_templates.deletion import DELETE, Deletion
from vmwright.arm.providers.image_templates.finding import find_source
from vmwright.arm.providers.image_templates.following import Following
from vmwright.arm.providers.image_templates.names import TEMPLATE_TYPE
from vmwright.arm.providers.image_templates.provisioning import WRITE, FindSource, Provisioning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmwright.arm.access.access import Access
    from vmwright.arm.background import Background
    from vmwright.arm.http.routing import Route
    from vmwright.arm.service import Service

__all__ = ["PREFLIGHTS", "Deletion", "Following", "routes"]

# What is wrong with a template's body before anything is made of it, by its type in lower case.
PREFLIGHTS = MappingProxyType({TEMPLATE_TYPE.lower(): read_sent})


def routes(
    service: Service,
    background: Background,
    access: Access,
    *,
    find: FindSource = find_source,
    new_trigger: Callable[[], None] = lambda: None,
) -> Iterator[Route]:
    """Give the ways into the provider, and let ``background`` provision and delete templates.

    :param access: what the writers of templates may use of others is looked up there.
    :param find: finds the sources of templates.
    :param new_trigger: is told of a trigger that was made: ``Following.soon``.
    """
    deletion = Deletion(service)
    background.does(WRITE, Provisioning(service, find).carry_out)
    background.does(DELETE, deletion.carry_out)
    yield from templates.routes(service, background, deletion, access.decisions)
    yield from runs.routes(service)
    yield from run_outputs.routes(service)
    yield from triggers.routes(service, made=new_trigger)
    yield from operations.routes(service)
