"""api-versions and subscriptions, as ARM checks them before a provider."""

from __future__ import annotations

import pytest

from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import split
from vmwright.arm.namespaces import namespaces
from vmwright.arm.rules import Rules
from vmwright.template.contract import API_VERSIONS

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
SUB = f"/subscriptions/{SUBSCRIPTION}"
TEMPLATES = f"{SUB}/resourceGroups/g/providers/microsoft.virtualmachineimages/imagetemplates"


def refusal(path: str, api_version: str) -> tuple[int, str] | None:
    try:
        Rules(SUBSCRIPTION).check(split(path), api_version)
    except ArmError as error:
        return error.status, error.code
    return None


@pytest.mark.parametrize("path", ["/subscriptions", "/tenants", SUB, f"{TEMPLATES}/x/run", "/providers/x"])
def test_arms_paths_need_an_api_version(path: str) -> None:
    assert refusal(path, "") == (400, "MissingApiVersionParameter")
    for wrong in ("latest", "2024", "2024-11-01\r\nx: y", "2024-11-01-", "٢٠٢٤-11-01", "x" * 1000):
        assert refusal(path, wrong) == (400, "InvalidApiVersionParameter")


@pytest.mark.parametrize("path", ["/", "/metadata/endpoints", "/graph/v1.0/users", "/adfs/oauth2/token"])
def test_other_paths_do_not(path: str) -> None:
    assert refusal(path, "") is None


def test_a_subscription_of_somebody_else_is_not_found() -> None:
    assert refusal(SUB.upper(), "2022-12-01") is None
    other = "/subscriptions/99999999-9999-9999-9999-999999999999/resourceGroups"
    assert refusal(other, "2022-12-01") == (404, "SubscriptionNotFound")
    assert refusal("/subscriptions/<subscriptionID>", "2022-12-01") == (400, "InvalidSubscriptionId")


@pytest.mark.parametrize("version", API_VERSIONS)
def test_every_version_of_the_image_builder_passes(version: str) -> None:
    for path in (TEMPLATES, f"{TEMPLATES}/x", f"{TEMPLATES}/x/Run", f"{TEMPLATES}/x/runOutputs/y"):
        assert refusal(path, version) is None


@pytest.mark.parametrize(
    ("path", "version"),
    [
        (TEMPLATES, "2024-11-01"),
        (f"{TEMPLATES}/x/run", "2019-05-01"),
        (f"{TEMPLATES}/x/triggers/y", "2020-02-14"),
        (f"{SUB}/providers/Microsoft.VirtualMachineImages/imageTemplates", "2030-01-01"),
        (f"{SUB}/providers/Microsoft.VirtualMachineImages/locations/westus/operations/x", "2030-01-01"),
    ],
)
def test_other_versions_of_the_image_builder_have_no_such_type(path: str, version: str) -> None:
    assert refusal(path, version) == (404, "InvalidResourceType")


@pytest.mark.parametrize(
    "path",
    [
        f"{SUB}/providers/Microsoft.VirtualMachineImages",
        f"{SUB}/providers/Microsoft.VirtualMachineImages/register",
        f"{SUB}/providers/Microsoft.Features/providers/Microsoft.VirtualMachineImages/features/x",
        f"{TEMPLATES}/x/providers/Microsoft.Authorization/roleAssignments/y",
        f"{SUB}/resourceGroups/g/providers/Microsoft.Compute/galleries/x",
        f"{SUB}/resourceGroups/g/providers",
    ],
)
def test_elsewhere_any_date_passes(path: str) -> None:
    assert refusal(path, "2031-12-31-preview") is None


def test_the_table_has_the_versions_of_the_contract_newest_first() -> None:
    for namespace in namespaces().values():
        for kind in namespace.types:
            assert list(kind.versions) == sorted(set(kind.versions), reverse=True)
    templates = namespaces()["microsoft.virtualmachineimages"].find(("IMAGETEMPLATES", "x"))
    assert templates is not None
    assert templates.versions == API_VERSIONS[::-1]
