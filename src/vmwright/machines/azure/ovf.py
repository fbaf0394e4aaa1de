"""The provisioning DVD: ``ovf-env.xml``, from which a generalized guest learns its name, user and key.

Azure attaches it at the first boot. cloud-init looks for it on /dev/sr0, waagent on CD drives, as UDF; both
copy it to /var/lib/waagent (cloud-init: sources/helpers/azure.py OvfEnvXml; waagent: ovfenv.py).
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import pycdlib

from vmwright.machines.seed import write_image

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.machines.azure.instance import Instance

VOLUME = "rd_rdfe_stable"
FILE = "ovf-env.xml"
UDF = "2.60"

# The key stands there by value: no certificate needs to be exchanged. There is no password anywhere.
DOCUMENT = """\
<?xml version="1.0" encoding="utf-8"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"\
 xmlns:oe="http://schemas.dmtf.org/ovf/environment/1"\
 xmlns:wa="http://schemas.microsoft.com/windowsazure"\
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <wa:ProvisioningSection>
    <wa:Version>1.0</wa:Version>
    <LinuxProvisioningConfigurationSet xmlns="http://schemas.microsoft.com/windowsazure">
      <ConfigurationSetType>LinuxProvisioningConfiguration</ConfigurationSetType>
      <HostName>{host_name}</HostName>
      <UserName>{user}</UserName>
      <DisableSshPasswordAuthentication>true</DisableSshPasswordAuthentication>
      <SSH>
        <PublicKeys>
          <PublicKey>
            <Path>/home/{user}/.ssh/authorized_keys</Path>
            <Value>{key}</Value>
          </PublicKey>
        </PublicKeys>
      </SSH>
      <CustomData>{custom_data}</CustomData>
    </LinuxProvisioningConfigurationSet>
  </wa:ProvisioningSection>
  <wa:PlatformSettingsSection>
    <wa:Version>1.0</wa:Version>
    <PlatformSettings xmlns="http://schemas.microsoft.com/windowsazure">
      <ProvisionGuestAgent>true</ProvisionGuestAgent>
      <GuestAgentPackageName xsi:nil="true" />
      <PreprovisionedVm>false</PreprovisionedVm>
    </PlatformSettings>
  </wa:PlatformSettingsSection>
</Environment>
"""


def ovf_env(instance: Instance, *, custom_data: str) -> bytes:
    """Return ``ovf-env.xml``; ``custom_data`` is what cloud-init takes as its user-data."""
    text = DOCUMENT.format(
        host_name=escape(instance.name),
        user=escape(instance.user),
        key=escape(instance.public_key),
        custom_data=base64.b64encode(custom_data.encode()).decode(),
    )
    return text.encode()


def write_dvd(path: Path, instance: Instance, *, custom_data: str) -> None:
    """Write the DVD, which holds the guest's host key, as an image that only this user may read.

    :raises FileExistsError: there is a file already.
    """
    data = ovf_env(instance, custom_data=custom_data)
    iso = pycdlib.PyCdlib()
    iso.new(vol_ident=VOLUME, udf=UDF)
    iso.add_fp(io.BytesIO(data), len(data), "/OVFENV.XML;1", udf_path=f"/{FILE}")
    write_image(path, iso)
