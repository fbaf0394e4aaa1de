"""What a request wants, in the words that roles are written in."""

from __future__ import annotations

import pytest

from vmwright.arm.access.actions import Reach, wanted

S = "/subscriptions/S"
G = f"{S}/resourceGroups/G"
IMAGES = f"{G}/providers/Microsoft.VirtualMachineImages"
T = f"{IMAGES}/imageTemplates/t"


def parts(path: str) -> tuple[str, ...]:
    return tuple(filter(None, path.split("/")))


@pytest.mark.parametrize(
    ("method", "path", "action", "scope"),
    [
        ("PUT", T, "imageTemplates/write", T),
        ("PATCH", T, "imageTemplates/write", T),
        ("DELETE", T, "imageTemplates/delete", T),
        ("POST", f"{T}/run", "imageTemplates/run/action", T),
        ("POST", f"{T}/cancel", "imageTemplates/cancel/action", T),
        ("GET", f"{T}/runOutputs", "imageTemplates/runOutputs/read", T),
        ("GET", f"{T}/runOutputs/o", "imageTemplates/runOutputs/read", f"{T}/runOutputs/o"),
        ("GET", f"{T}/triggers", "imageTemplates/triggers/read", T),
        ("PUT", f"{T}/triggers/x", "imageTemplates/triggers/write", f"{T}/triggers/x"),
        ("DELETE", f"{T}/triggers/x", "imageTemplates/triggers/delete", f"{T}/triggers/x"),
        ("GET", f"{IMAGES}/imageTemplates", "imageTemplates/read", G),
    ],
)
def test_what_is_asked_of_templates_has_the_documented_names(
    method: str, path: str, action: str, scope: str
) -> None:
    want = wanted(method, parts(path))
    assert (want.action, want.scope) == (f"Microsoft.VirtualMachineImages/{action}", scope.lower())


@pytest.mark.parametrize(
    ("method", "path", "action", "scope", "reach"),
    [
        ("GET", "/subscriptions", "Microsoft.Resources/subscriptions/read", "", Reach.LISTED),
        ("GET", "/tenants", "Microsoft.Resources/tenants/read", "", Reach.TOKEN),
        ("GET", "/providers", "Microsoft.Resources/providers/read", "", Reach.TOKEN),
        ("GET", "/providers/N", "Microsoft.Resources/providers/read", "/providers/N", Reach.TOKEN),
        ("GET", "/providers/N/operations", "N/operations/read", "", Reach.TOKEN),
        ("GET", S, "Microsoft.Resources/subscriptions/read", S, Reach.MEMBER),
        ("GET", f"{S}/locations", "Microsoft.Resources/subscriptions/locations/read", S, Reach.MEMBER),
        ("GET", f"{S}/providers", "Microsoft.Resources/subscriptions/providers/read", S, Reach.MEMBER),
        ("GET", f"{S}/resources", "Microsoft.Resources/subscriptions/resources/read", S, Reach.LISTED),
        (
            "GET",
            f"{S}/resourcegroups",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            S,
            Reach.LISTED,
        ),
        ("HEAD", G, "Microsoft.Resources/subscriptions/resourceGroups/read", G, Reach.SCOPE),
        ("PUT", G, "Microsoft.Resources/subscriptions/resourceGroups/write", G, Reach.SCOPE),
        (
            "GET",
            f"{G}/resources",
            "Microsoft.Resources/subscriptions/resourceGroups/resources/read",
            G,
            Reach.LISTED,
        ),
        ("GET", f"{S}/providers/N/types", "N/types/read", S, Reach.LISTED),
        ("GET", f"{G}/providers/N/types", "N/types/read", G, Reach.LISTED),
        ("POST", f"{S}/providers/N/register", "N/register/action", S, Reach.SCOPE),
        (
            "GET",
            f"{S}/providers/N/locations/l/operations/o",
            "N/locations/operations/read",
            f"{S}/providers/N/locations/l/operations/o",
            Reach.MEMBER,
        ),
        (
            "POST",
            f"{S}/providers/Microsoft.Features/providers/N/features/f/register",
            "Microsoft.Features/providers/features/register/action",
            f"{S}/providers/Microsoft.Features/providers/N/features/f",
            Reach.SCOPE,
        ),
        (
            "GET",
            f"{G}/deployments/d/operations",
            "Microsoft.Resources/deployments/operations/read",
            f"{G}/deployments/d",
            Reach.SCOPE,
        ),
        (
            "POST",
            f"{G}/providers/Microsoft.Resources/deployments/d/validate",
            "Microsoft.Resources/deployments/validate/action",
            f"{G}/providers/Microsoft.Resources/deployments/d",
            Reach.SCOPE,
        ),
        (
            "GET",
            f"{S}/providers/Microsoft.Authorization/roleAssignments",
            "Microsoft.Authorization/roleAssignments/read",
            S,
            Reach.SCOPE,
        ),
        (
            "PUT",
            f"{T}/providers/Microsoft.Authorization/roleAssignments/r",
            "Microsoft.Authorization/roleAssignments/write",
            f"{T}/providers/Microsoft.Authorization/roleAssignments/r",
            Reach.SCOPE,
        ),
        (
            "GET",
            "/providers/Microsoft.Authorization/roleAssignments",
            "Microsoft.Authorization/roleAssignments/read",
            "",
            Reach.SCOPE,
        ),
        ("GET", "/something/else", "Microsoft.Resources/something/read", "/something/else", Reach.SCOPE),
    ],
)
def test_what_is_asked_of_arm_has_arms_names(
    method: str, path: str, action: str, scope: str, reach: Reach
) -> None:
    want = wanted(method, parts(path))
    assert (want.action, want.scope, want.reach) == (action, scope.lower(), reach)


def test_a_resource_that_is_called_providers_is_a_resource() -> None:
    template = f"{S}/resourceGroups/providers/providers/N/types/providers"
    assert wanted("GET", parts(template)).scope == template.lower()
    run = wanted("POST", parts(f"{template}/run"))
    assert (run.action, run.scope) == ("N/types/run/action", template.lower())
