"""Whether a VM shows its guest Azure, and whose tokens the guest may have."""

from __future__ import annotations

from pathlib import Path

from tests.scripted import Recorder
from vmwright.artifacts.facts import Provisioning
from vmwright.builds.guest_environment import azure_environment
from vmwright.events import Events, Notice
from vmwright.machines.machine import AssignedIdentity, AzureEnvironment
from vmwright.settings import IdentitySettings, ProvisioningChoice, Settings

IDENTITY = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader"
)
OTHER = f"{IDENTITY}2"


def environment(
    provisioning: Provisioning, settings: Settings, *identities: str
) -> tuple[AzureEnvironment | None, list[str]]:
    recorder = Recorder()
    found = azure_environment(
        provisioning,
        settings,
        Events(recorder),
        location="westus2",
        vm_size="Standard_D1_v2",
        identities=identities,
    )
    return found, [notice.message for notice in recorder.of(Notice)]


def test_the_image_decides_and_the_configuration_overrides_with_a_note(tmp_path: Path) -> None:
    auto = Settings(home=tmp_path)
    azure = AzureEnvironment(location="westus2", vm_size="Standard_D1_v2")
    assert environment(Provisioning.AZURE, auto) == (azure, [])
    assert environment(Provisioning.NOCLOUD, auto) == (None, [])
    for choice, provisioning, expected in (
        (ProvisioningChoice.NOCLOUD, Provisioning.AZURE, None),
        (ProvisioningChoice.AZURE, Provisioning.NOCLOUD, azure),
    ):
        found, notes = environment(provisioning, Settings(home=tmp_path, provisioning=choice))
        assert found == expected
        assert ["(configured)" in note for note in notes] == [True]
        assert environment(Provisioning(choice_of(choice)), Settings(home=tmp_path, provisioning=choice)) == (
            expected,
            [],
        )


def choice_of(choice: ProvisioningChoice) -> str:
    return {"azure": "Azure", "nocloud": "NoCloud"}[choice]


def test_an_identity_gives_tokens_where_its_command_is_configured(tmp_path: Path) -> None:
    held = IdentitySettings(token_command=("print-token", "{resource}"), client_id="c")
    settings = Settings(home=tmp_path, identities={IDENTITY.upper(): held, "*": IdentitySettings()})
    found, notes = environment(Provisioning.AZURE, settings, IDENTITY, OTHER)
    assert found is not None
    assert found.identities == (
        AssignedIdentity(resource_id=IDENTITY, client_id="c", command=("print-token", "{resource}")),
    )
    assert len(notes) == 1
    assert f'[identities."{OTHER}"]' in notes[0]


def test_a_guest_with_a_seed_gets_no_tokens_and_the_user_is_told(tmp_path: Path) -> None:
    found, notes = environment(Provisioning.NOCLOUD, Settings(home=tmp_path), IDENTITY)
    assert found is None
    assert ["gets no tokens" in note for note in notes] == [True]
