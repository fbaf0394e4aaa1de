"""What a virtual machine's guest is known by, from its provisioning on."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vmwright.machines.bridge import new_mac

if TYPE_CHECKING:
    from vmwright.machines.seed import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class VmIdentity:
    """What a guest was provisioned with.

    :param name: its host name.
    :param access: the first keys that open it.
    :param vm_id: a UUID in lower case, by which agents know a new machine; ``container_id``: likewise.
    :param mac: of its network device.
    """

    name: str
    access: Access
    vm_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    container_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    mac: str = field(default_factory=new_mac)

    @property
    def instance_id(self) -> str:
        """What cloud-init takes for the name of the instance in a NoCloud seed."""
        return f"vmwright-{self.vm_id}"
