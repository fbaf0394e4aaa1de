"""From what an image will be provisioned, asked from the guest before it is generalized."""

from __future__ import annotations

import pytest

from tests.scripted import ScriptedTransport, ended
from vmwright.artifacts.facts import Provisioning
from vmwright.builds.generalize import agents_of
from vmwright.guests.linux import LinuxGuest

EVERYTHING = b"users: [default]\ndatasource_list: [ NoCloud, Azure ]\n"


@pytest.mark.parametrize(
    ("agents", "configuration", "expected"),
    [
        (b"waagent\ncloud-init\n", EVERYTHING, Provisioning.AZURE),
        (b"cloud-init\n", EVERYTHING, Provisioning.NOCLOUD),
        (b"cloud-init\n", EVERYTHING + b"\ndatasource_list: [Azure]\n", Provisioning.AZURE),
        (b"waagent\ncloud-init\n", EVERYTHING + b"datasource_list: [NoCloud]\n", Provisioning.NOCLOUD),
        (b"waagent\n", b"", Provisioning.AZURE),
        (b"", b"", Provisioning.NOCLOUD),
        (b"", EVERYTHING, Provisioning.NOCLOUD),
    ],
)
async def test_the_guest_is_asked_for_its_agents(
    agents: bytes, configuration: bytes, expected: Provisioning
) -> None:
    transport = ScriptedTransport(
        answers={"agents:": ended(0, b"agents:\n" + agents + b"\n" + configuration)}
    )
    found = await agents_of(LinuxGuest(transport, "packer"))
    assert found.provisioning is expected
    assert found.has_waagent == (b"waagent" in agents)
