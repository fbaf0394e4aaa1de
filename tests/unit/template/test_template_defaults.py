"""What a template means that leaves a field out, or gives its "empty" value (reference §4)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vmwright.template import Template, read
from vmwright.template.model import PowerShell, SharedImage, VmProfile, WindowsRestart, WindowsUpdate

DEFINITION = "/subscriptions/s/resourceGroups/r/providers/Microsoft.Compute/galleries/g/images/d"
IDENTITY = "/subscriptions/s/resourceGroups/r/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"


def template(*customize: dict[str, Any], **properties: Any) -> Template:
    body = {
        "apiVersion": "2020-02-14",
        "location": "westus2",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
        "properties": {
            "source": {
                "type": "ManagedImage",
                "imageId": DEFINITION.replace("galleries/g/images/d", "images/i"),
            },
            "customize": list(customize),
            "distribute": [
                {
                    "type": "SharedImage",
                    "runOutputName": "out",
                    "galleryImageId": DEFINITION,
                    "replicationRegions": ["westus2"],
                }
            ],
            **properties,
        },
    }
    reading = read(json.dumps(body).encode())
    assert reading.template, reading.problems
    return reading.template


@pytest.mark.parametrize(
    ("properties", "minutes"),
    [({}, 240), ({"buildTimeoutInMinutes": 0}, 240), ({"buildTimeoutInMinutes": 960}, 960)],
)
def test_a_build_has_four_hours(properties: dict[str, Any], minutes: int) -> None:
    assert template(**properties).timeout_seconds == minutes * 60


@pytest.mark.parametrize(
    "properties", [{}, {"vmProfile": {}}, {"vmProfile": {"vmSize": "", "osDiskSizeGB": 0}}]
)
def test_the_build_vm_is_azures_choice_with_the_sources_disk(properties: dict[str, Any]) -> None:
    assert template(**properties).vm_profile == VmProfile(vm_size="", os_disk_size_gb=0)


def test_a_restart_may_take_five_minutes() -> None:
    (restart,) = template({"type": "WindowsRestart"}).customize
    assert isinstance(restart, WindowsRestart)
    assert (restart.restart_timeout, restart.restart_check_command) == ("5m", None)


@pytest.mark.parametrize(
    ("given", "limit"), [({}, 1000), ({"updateLimit": 0}, 1000), ({"updateLimit": 20}, 20)]
)
def test_a_thousand_updates(given: dict[str, int], limit: int) -> None:
    (update,) = template({"type": "WindowsUpdate", **given}).customize
    assert isinstance(update, WindowsUpdate)
    assert (update.update_limit, update.filters) == (limit, ())


def test_only_zero_is_success_and_nothing_is_elevated() -> None:
    (script,) = template({"type": "PowerShell", "inline": ["exit"]}).customize
    assert isinstance(script, PowerShell)
    assert (script.valid_exit_codes, script.run_elevated, script.run_as_system) == ((0,), False, False)


def test_a_version_counts_for_latest() -> None:
    (out,) = template().distribute
    assert isinstance(out, SharedImage)
    assert (out.exclude_from_latest, out.versioning) == (False, None)
    assert [region.replica_count for region in out.target_regions] == [1]
