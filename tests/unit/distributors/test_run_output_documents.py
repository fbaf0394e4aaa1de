"""Run outputs as ``vmwright runs --json`` shows them: the service's shape (reference §12)."""

from __future__ import annotations

from vmwright.distributors.distributor import RunOutput

TYPE = "Microsoft.VirtualMachineImages/imageTemplates/runOutputs"
VERSION = "/subscriptions/s/resourceGroups/r/providers/Microsoft.Compute/galleries/g/images/d/versions/1.0.0"


def test_an_image_or_version_is_an_artifact_id() -> None:
    output = RunOutput(name="out", kind="SharedImage", artifact_id=VERSION)
    assert output.as_document() == {
        "name": "out",
        "type": TYPE,
        "tags": {},
        "properties": {"artifactId": VERSION, "provisioningState": "Succeeded"},
    }


def test_a_vhd_is_an_artifact_uri() -> None:
    output = RunOutput(name="out", kind="VHD", artifact_uri="file:///out/out.vhd", tags={"a": "b"})
    assert output.as_document() == {
        "name": "out",
        "type": TYPE,
        "tags": {"a": "b"},
        "properties": {"artifactUri": "file:///out/out.vhd", "provisioningState": "Succeeded"},
    }


def test_a_distributor_that_failed_has_its_error_and_no_artifact() -> None:
    output = RunOutput(name="out", kind="ManagedImage", error="no space")
    assert output.as_document()["properties"] == {"provisioningState": "Failed", "error": "no space"}
