"""From what an image will be provisioned, asked from the guest before it is generalized."""

from __future__ import annotations

import pytest

from tests.scripted import ScriptedTransport, ended
from vmwright.artifacts.facts import Provisioning
from vmwright.builds.generalize import provisioning_of
from vmwright.guests.linux import LinuxGuest

EVERYTHING = b"users: [default]\ndatasource_list: [ NoCloud, Azure ]\n"


@pytest.mark.parametrize(
    ("agent", "cloud_init", "configuration", "expected"),
    [
        (0, 0, EVERYTHING, Provisioning.AZURE),
        (1, 0, EVERYTHING, Provisioning.NOCLOUD),
        (1, 0, EVERYTHING + b"datasource_list: [Azure]\n", Provisioning.AZURE),
        (0, 0, EVERYTHING + b"datasource_list: [NoCloud]\n", Provisioning.NOCLOUD),
        (0, 1, b"", Provisioning.AZURE),
        (1, 1, b"", Provisioning.NOCLOUD),
    ],
)
async def test_the_guest_is_asked_for_its_agents(
    agent: int, cloud_init: int, configuration: bytes, expected: Provisioning
) -> None:
    transport = ScriptedTransport(
        answers={
            "command -v waagent": ended(agent),
            "command -v cloud-init": ended(cloud_init),
            "cloud.cfg": ended(0, configuration),
        }
    )
    assert await provisioning_of(LinuxGuest(transport, "packer")) is expected
