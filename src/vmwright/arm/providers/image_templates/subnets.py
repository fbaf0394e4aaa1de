"""The subnet of a template's builds: one that is not configured cannot be joined (reference §5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm import ids
from vmwright.arm.providers.image_templates.faults import OTHER, ProvisioningError
from vmwright.builds.networks import network_for
from vmwright.errors import UnsupportedError

if TYPE_CHECKING:
    from vmwright.arm.store import Resource
    from vmwright.settings import Settings
    from vmwright.template.model import Template, VnetConfig

UNAUTHORIZED = (
    "Not authorized to access the resource: {resource}. Please check the user assigned identity has the "
    "correct permissions. For more details, go to https://aka.ms/azvmimagebuilderts."
)


def check_subnet(template: Template, resource: Resource, settings: Settings) -> None:
    """Check that the subnet of a template is configured on this host, as its builds will.

    :raises ProvisioningError: it is not: what the service says of a network that its identity may not read.
    """
    vnet = template.vm_profile.vnet_config
    try:
        network_for(vnet, settings)
    except UnsupportedError as error:
        if vnet is None:
            raise
        message = UNAUTHORIZED.format(resource=_network(vnet, resource))
        raise ProvisioningError(
            OTHER, f"{message} Hint: {error.message}: {error.hint}.", code="Unauthorized"
        ) from error


def _network(vnet: VnetConfig, resource: Resource) -> str:
    """Return the id of the virtual network around a subnet."""
    if vnet.subnet_id:
        return vnet.subnet_id.partition("/subnets/")[0]
    subscription = ids.parse(resource.id).subscription
    around = f"/subscriptions/{subscription}/resourceGroups/{vnet.resource_group_name}"
    return f"{around}/providers/Microsoft.Network/virtualNetworks/{vnet.name}"
