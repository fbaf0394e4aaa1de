"""Builds of templates, by az: run, followed, cancelled, and what they have made."""

from __future__ import annotations

import pytest

from tests.clients.azure_tools.conftest import Place
from tests.clients.azure_tools.serving import FAILURE
from tests.clients.azure_tools.templates import PROVIDER

RESOURCE = ("--resource-type", f"{PROVIDER}/imageTemplates")
SECOND = ("--interval", "1", "--timeout", "60")


def status(template: Place) -> dict[str, str]:
    found: dict[str, str] = template.builder("show", *template.named)["lastRunStatus"]
    return found


@pytest.mark.usefixtures("builder")
def test_a_run_makes_what_its_outputs_name(template: Place) -> None:
    assert template.builder("run", *template.named) == {}
    assert status(template)["runState"] == "Succeeded"
    shown = template.builder("show-runs", *template.named, "--output-name", "golden")
    assert (shown["artifactId"], shown["provisioningState"]) == (template.image, "Succeeded")
    assert [one["name"] for one in template.builder("show-runs", *template.named)] == ["golden"]


@pytest.mark.usefixtures("builder")
def test_nobody_has_to_wait_for_a_run(template: Place) -> None:
    template.builder("run", *template.named, "--no-wait")
    template.builder("wait", *template.named, "--custom", "lastRunStatus.runState!='Running'", *SECOND)
    assert status(template)["runState"] == "Succeeded"


@pytest.mark.usefixtures("builder")
def test_the_documented_commands_run_a_template_and_show_its_output(template: Place) -> None:
    """The seeds' own: invoke-action, and the run output by its id in two api-versions."""
    assert template.az.json("resource", "invoke-action", *template.named, *RESOURCE, "--action", "Run") == {}
    output = f"{template.id}/runOutputs/golden"
    for version in ("2019-05-01-preview", "2020-02-14"):
        shown = template.az.json("resource", "show", "--ids", output, f"--api-version={version}")
        assert shown["properties"] == {"artifactId": template.image, "provisioningState": "Succeeded"}
    assert template.az.json("resource", "show", "--ids", output)["name"] == "golden"


@pytest.mark.usefixtures("failing_builder")
def test_a_run_that_fails_tells_why(template: Place) -> None:
    failed = template.az("image", "builder", "run", *template.named, code=1)
    assert f"(PackerBuildFailed) {FAILURE}" in failed.err
    assert (status(template)["runState"], status(template)["message"]) == ("Failed", FAILURE)


@pytest.mark.usefixtures("endless_builder")
@pytest.mark.parametrize("command", ["builder", "resource", "powershell"])
def test_a_run_is_cancelled(template: Place, command: str) -> None:
    template.builder("run", *template.named, "--no-wait")
    template.builder("wait", *template.named, "--custom", "lastRunStatus.runSubState=='Building'", *SECOND)
    match command:
        case "builder":
            template.builder("cancel", *template.named)
        case "resource":
            action = ("resource", "invoke-action", *template.named, *RESOURCE, "--action", "Cancel")
            assert template.az.json(*action) == {}
        case _:  # what Invoke-AzResourceAction -Action Cancel sends
            url = f"{template.id}/Cancel?api-version=2020-02-14"
            template.az("rest", "--method", "post", "--url", url)
    template.builder("wait", *template.named, "--custom", "lastRunStatus.runState=='Canceled'", *SECOND)


@pytest.mark.usefixtures("builder")
def test_powershells_action_runs_a_template(template: Place) -> None:
    url = f"{template.id}/Run?api-version=2020-02-14"
    template.az("rest", "--method", "post", "--url", url)
    template.builder("wait", *template.named, "--custom", "lastRunStatus.runState=='Succeeded'", *SECOND)


def test_what_does_not_run_is_not_cancelled(template: Place) -> None:
    refused = template.az("image", "builder", "cancel", *template.named, code=1)
    assert "OperationNotAllowed" in refused.err


def test_there_is_no_output_before_a_run(template: Place) -> None:
    assert template.builder("show-runs", *template.named) == []
    output = ("show-runs", *template.named, "--output-name", "golden")
    assert "ResourceNotFound" in template.az("image", "builder", *output, code=3).err
