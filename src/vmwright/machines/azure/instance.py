"""A virtual machine as Azure's platform describes it to its own guest."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmwright.machines.machine import AzureEnvironment

METADATA_ADDRESS = "169.254.169.254"
WIRESERVER_ADDRESS = "168.63.129.16"
# What cloud-init, ds-identify and waagent know Azure by; the same on every Azure VM.
CHASSIS_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"
MANUFACTURER = "Microsoft Corporation"
PRODUCT = "Virtual Machine"
PRODUCT_VERSION = "Hyper-V UEFI Release v4.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """The guest's network device: its MAC address (with colons) and its IPv4 network."""

    mac: str
    address: str
    prefix: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One virtual machine.

    :param name: the VM's, which is also its host name; ``user``: who is to be made in it.
    :param public_key: opens that user's account; in the form of authorized_keys.
    :param vm_id: a UUID in lower case: SMBIOS' system UUID too, by which agents know a new machine.
    """

    name: str
    user: str
    public_key: str
    environment: AzureEnvironment
    nic: Nic
    vm_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    container_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def resource_group(self) -> str:
        """A name like those of the service's staging resource groups."""
        return f"IT_{self.name}"

    @property
    def resource_id(self) -> str:
        """The id that the VM would have in Azure Resource Manager."""
        return (
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.Compute/virtualMachines/{self.name}"
        )


# There is no subscription behind a machine of this host.
SUBSCRIPTION = str(uuid.UUID(int=0))
