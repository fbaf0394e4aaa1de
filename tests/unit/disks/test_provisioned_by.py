"""The rule by which an image is provisioned from Azure's platform or from a NoCloud seed."""

from __future__ import annotations

import pytest

from vmwright.artifacts.facts import Provisioning
from vmwright.disks.provisioned_by import provisioned_by

AZURE, NOCLOUD = Provisioning.AZURE, Provisioning.NOCLOUD
EVERYTHING = "datasource_list: [ NoCloud, ConfigDrive, Azure, None ]\n"
ONLY_AZURE = "# cloud\ndatasource_list: [ Azure ]\n"
LINES = "datasource_list:\n  - Azure\n  - None\nusers: []\n"
COMMENTED = "#datasource_list: [ Azure ]\n"
NO_AZURE = 'datasource_list: [ "NoCloud",\n  "None" ]\n'


@pytest.mark.parametrize(
    ("has_waagent", "has_cloud_init", "configuration", "expected"),
    [
        (True, True, [EVERYTHING], AZURE),
        (True, True, [], AZURE),
        (True, False, [], AZURE),
        (True, True, [EVERYTHING, NO_AZURE], NOCLOUD),
        (True, False, [NO_AZURE], AZURE),
        (False, True, [EVERYTHING], NOCLOUD),
        (False, True, [], NOCLOUD),
        (False, False, [], NOCLOUD),
        (False, True, [EVERYTHING, ONLY_AZURE], AZURE),
        (False, True, [ONLY_AZURE, EVERYTHING], NOCLOUD),
        (False, True, [EVERYTHING + ONLY_AZURE], AZURE),
        (False, True, [LINES], AZURE),
        (False, True, [COMMENTED], NOCLOUD),
    ],
)
def test_the_agent_and_the_data_sources_decide(
    *, has_waagent: bool, has_cloud_init: bool, configuration: list[str], expected: Provisioning
) -> None:
    assert (
        provisioned_by(has_waagent=has_waagent, has_cloud_init=has_cloud_init, configuration=configuration)
        is expected
    )
