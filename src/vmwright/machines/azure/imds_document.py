"""IMDS' document about a virtual machine, with the fields of api-version 2021-12-13 (Microsoft Learn).

Everything is a string there, numbers and truth values too.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, TypeAlias

from vmwright.machines.azure.instance import SUBSCRIPTION

if TYPE_CHECKING:
    from vmwright.machines.azure.instance import Instance, Nic

Value: TypeAlias = "str | list[Value] | dict[str, Value] | None"

API_VERSIONS = (
    *("2017-03-01", "2017-04-02", "2017-08-01", "2017-10-01", "2017-12-01"),
    *("2018-02-01", "2018-04-02", "2018-10-01"),
    *("2019-02-01", "2019-03-11", "2019-04-30", "2019-06-01", "2019-06-04", "2019-08-01", "2019-08-15"),
    *("2019-11-01", "2020-06-01", "2020-07-15", "2020-09-01", "2020-10-01", "2020-12-01"),
    *("2021-01-01", "2021-02-01", "2021-03-01", "2021-05-01", "2021-08-01", "2021-10-01", "2021-11-01"),
    *("2021-11-15", "2021-12-13", "2023-07-01", "2023-11-15", "2025-04-07"),
)


def instance_document(instance: Instance) -> dict[str, Value]:
    """Return the whole document: ``compute`` and ``network``."""
    return {"compute": _compute(instance), "network": {"interface": [_interface(instance.nic)]}}


def _compute(instance: Instance) -> dict[str, Value]:
    return {
        "azEnvironment": "AzurePublicCloud",
        "customData": "",
        "evictionPolicy": "",
        "extendedLocation": {"name": "", "type": ""},
        "isHostCompatibilityLayerVm": "false",
        "licenseType": "",
        "location": instance.environment.location,
        "name": instance.name,
        "offer": "",
        "osProfile": {
            "adminUsername": instance.user,
            "computerName": instance.name,
            "disablePasswordAuthentication": "true",
        },
        "osType": "Linux",
        "placementGroupId": "",
        "plan": {"name": "", "product": "", "publisher": ""},
        "platformFaultDomain": "0",
        "platformUpdateDomain": "0",
        "priority": "",
        "provider": "Microsoft.Compute",
        # an empty list would make cloud-init install no key, also not the one of ovf-env.xml
        "publicKeys": [
            {"keyData": instance.public_key, "path": f"/home/{instance.user}/.ssh/authorized_keys"}
        ],
        "publisher": "",
        "resourceGroupName": instance.resource_group,
        "resourceId": instance.resource_id,
        "securityProfile": {"secureBootEnabled": "false", "virtualTpmEnabled": "false"},
        "sku": "",
        "storageProfile": {
            "dataDisks": [],
            "imageReference": {"id": "", "offer": "", "publisher": "", "sku": "", "version": "latest"},
            "osDisk": {"caching": "ReadWrite", "createOption": "FromImage", "osType": "Linux"},
            "resourceDisk": {"size": "0"},
        },
        "subscriptionId": SUBSCRIPTION,
        "tags": "",
        "tagsList": [],
        "userData": "",
        "version": "",
        "vmId": instance.vm_id,
        "vmScaleSetName": "",
        "vmSize": instance.environment.vm_size,
        "zone": "",
    }


def _interface(nic: Nic) -> dict[str, Value]:
    network = ipaddress.ip_interface(f"{nic.address}/{nic.prefix}").network
    return {
        "ipv4": {
            "ipAddress": [{"privateIpAddress": nic.address, "publicIpAddress": ""}],
            "subnet": [{"address": str(network.network_address), "prefix": str(nic.prefix)}],
        },
        "ipv6": {"ipAddress": []},
        "macAddress": nic.mac.replace(":", "").upper(),
    }
