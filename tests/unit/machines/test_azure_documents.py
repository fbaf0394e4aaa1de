"""What an Azure guest is given to read: ovf-env.xml, the goal state, IMDS' document, SMBIOS."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from xml.etree import ElementTree as ET

import pycdlib
import pytest

from vmwright import process
from vmwright.machines.azure.imds_document import Value, instance_document
from vmwright.machines.azure.instance import Instance, Nic
from vmwright.machines.azure.ovf import ovf_env, write_dvd
from vmwright.machines.azure.wireserver import HealthReport, read_health
from vmwright.machines.machine import EMULATED, Accelerator, AzureEnvironment, MachineSpec
from vmwright.machines.qemu_arguments import Attachments, Device, qemu_arguments
from vmwright.machines.seed import cloud_config, new_access
from vmwright.template.model import Generation

MAC = "52:54:00:12:34:56"
WA = "{http://schemas.microsoft.com/windowsazure}"
READY = b"""<?xml version="1.0" encoding="utf-8"?><Health><GoalStateIncarnation>1</GoalStateIncarnation>
<Container><ContainerId>c</ContainerId><RoleInstanceList><Role><InstanceId>i</InstanceId><Health>
<State>Ready</State></Health></Role></RoleInstanceList></Container></Health>"""


def instance(name: str = "build-1", key: str = "ssh-ed25519 AAAA packer@vmwright") -> Instance:
    return Instance(
        name=name,
        user="packer",
        public_key=key,
        environment=AzureEnvironment(location="westus2", vm_size="Standard_D2ds_v4"),
        nic=Nic(mac=MAC, address="10.0.2.15", prefix=24),
        vm_id="02aab8a4-74ef-476e-8182-f6d2ba4166a6",
    )


def test_ovf_env_names_user_and_key_and_carries_the_seeds_configuration() -> None:
    access = new_access("packer")
    configuration = cloud_config(access)
    text = ovf_env(instance("a<b", access.authorized_key), custom_data=configuration)
    (linux,) = ET.XML(text).iter(f"{WA}LinuxProvisioningConfigurationSet")
    said = {each.tag.removeprefix(WA): each.text for each in linux.iter()}
    assert (said["HostName"], said["UserName"]) == ("a<b", "packer")
    assert (said["Value"], said["Path"]) == (access.authorized_key, "/home/packer/.ssh/authorized_keys")
    assert said["DisableSshPasswordAuthentication"] == "true"
    assert base64.b64decode(said["CustomData"] or "").decode() == configuration
    assert "UserPassword" not in said
    platform = ET.XML(text).find(f"{WA}PlatformSettingsSection/{WA}PlatformSettings")
    assert platform is not None
    assert platform.findtext(f"{WA}ProvisionGuestAgent") == "true"
    assert platform.findtext(f"{WA}PreprovisionedVm") == "false"


async def test_the_dvd_is_udf_and_nobody_elses(tmp_path: Path) -> None:
    dvd = tmp_path / "dvd"
    write_dvd(dvd, instance(), custom_data="#cloud-config\n{}\n")
    assert dvd.stat().st_mode & 0o777 == 0o600
    kind = await process.run(["blkid", "--probe", "--output", "export", dvd], timeout=20)
    assert {"TYPE=udf", "LABEL=rd_rdfe_stable"} <= set(kind.text.splitlines())
    iso, text = pycdlib.PyCdlib(), io.BytesIO()
    iso.open(str(dvd))
    iso.get_file_from_iso_fp(text, udf_path="/ovf-env.xml")
    iso.close()
    assert text.getvalue() == ovf_env(instance(), custom_data="#cloud-config\n{}\n")
    with pytest.raises(FileExistsError):
        write_dvd(dvd, instance(), custom_data="")


def leaves(value: Value) -> list[object]:
    if isinstance(value, dict):
        return [leaf for held in value.values() for leaf in leaves(held)]
    if isinstance(value, list):
        return [leaf for held in value for leaf in leaves(held)]
    return [value]


def test_the_metadata_is_that_of_the_machine() -> None:
    document = instance_document(instance())
    assert {type(leaf) for leaf in leaves(document)} == {str}
    compute, network = document["compute"], document["network"]
    assert isinstance(compute, dict)
    assert isinstance(network, dict)
    assert (compute["location"], compute["vmSize"]) == ("westus2", "Standard_D2ds_v4")
    assert compute["publicKeys"] == [
        {"keyData": "ssh-ed25519 AAAA packer@vmwright", "path": "/home/packer/.ssh/authorized_keys"}
    ]
    assert network["interface"] == [
        {
            "ipv4": {
                "ipAddress": [{"privateIpAddress": "10.0.2.15", "publicIpAddress": ""}],
                "subnet": [{"address": "10.0.2.0", "prefix": "24"}],
            },
            "ipv6": {"ipAddress": []},
            "macAddress": "525400123456",
        }
    ]


def test_a_health_report_is_ready_a_failure_or_neither() -> None:
    assert read_health(READY).is_ready
    starting = b"<State>NotReady</State><Details><SubStatus>Provisioning</SubStatus>"
    assert not read_health(starting).is_ready
    assert not read_health(starting).is_failure
    failed = read_health(
        b"<State>NotReady</State><Details><SubStatus>ProvisioningFailed</SubStatus>"
        b"<Description>no &lt;DVD&gt;\n\x1b[31m here</Description></Details>"
    )
    assert failed == HealthReport("NotReady", "ProvisioningFailed", "no <DVD> ?[31m here")
    assert failed.is_failure


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff\xfe<State>",
        b"<State><State>Ready</State>" * 9,
        b"<State>&#" + b"9" * 10_000 + b";</State>",
        b"<!DOCTYPE a [<!ENTITY b 'Ready'>]><State>&b;",
    ],
)
def test_what_a_guest_makes_up_is_no_failure(document: bytes) -> None:
    assert not read_health(document).is_failure


def arguments(
    accelerator: Accelerator = Accelerator.TCG, *, on_azure: bool = True, firmware: None = None
) -> list[str]:
    spec = MachineSpec(
        name="vm",
        folder=Path("/b"),
        cpus=2,
        memory_mib=1024,
        generation=Generation.V1,
        accelerator=accelerator,
    )
    attached = Attachments(
        disk=Path("/b/d"),
        seed=Path("/b/seed"),
        console=Path("/b/c"),
        firmware=firmware,
        control=7,
        network=Device(descriptor=9, mac=MAC),
        instance=instance() if on_azure else None,
    )
    return qemu_arguments(spec, attached)


def test_a_machine_is_known_as_one_of_azures_by_its_smbios() -> None:
    given = arguments()
    tables = [given[index + 1] for index, name in enumerate(given) if name == "-smbios"]
    system, chassis = tables
    assert system == (
        "type=1,manufacturer=Microsoft Corporation,product=Virtual Machine,"
        "version=Hyper-V UEFI Release v4.1,uuid=02aab8a4-74ef-476e-8182-f6d2ba4166a6"
    )
    assert chassis == "type=3,manufacturer=Microsoft Corporation,asset=7783-7084-3265-9085-8269-3286-77"
    assert "scsi-cd,bus=scsi.0,drive=seed" in given
    assert "-smbios" not in arguments(on_azure=False)


@pytest.mark.parametrize(
    ("accelerator", "processor"),
    [(Accelerator.TCG, f"{EMULATED},-hypervisor"), (Accelerator.KVM, "host,hv-relaxed=on")],
)
def test_the_processor_does_not_name_another_hypervisor(accelerator: Accelerator, processor: str) -> None:
    given = arguments(accelerator)
    assert given[given.index("-cpu") + 1] == processor
