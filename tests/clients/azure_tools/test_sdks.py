"""Azure's libraries for Python and JavaScript, each in an environment of its own: a template's whole life."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.azure_tools import templates
from tests.clients.azure_tools.conftest import Place
from tests.clients.azure_tools.serving import CLIENTS, Served, run, run_program
from tests.object_servers import NODE

PROGRAMS = Path(__file__).parent / "programs"
MODULES = CLIENTS / "npm"


def arguments(served: Served, group: str) -> str:
    """Return what a program is told, as JSON."""
    return json.dumps(
        {
            "url": served.url,
            "app_id": served.app_id,
            "secret": served.secret,
            "subscription": served.subscription,
            "group": group,
            "body": templates.body(served.subscription, group),
            "modules": str(MODULES),
        }
    )


def told_by(library: str, served: Served, group: str) -> dict[str, Any]:
    """Run the program of a library and return what it printed."""
    if library == "npm":
        program, given = PROGRAMS / "npm.mjs", arguments(served, group)
        ended = run_program(NODE, program, given, NODE_EXTRA_CA_CERTS=str(served.ca))
    else:
        program, given = PROGRAMS / f"{library.replace('-', '_')}.py", arguments(served, group)
        ended = run(f"azure-{library}", program, given, REQUESTS_CA_BUNDLE=str(served.ca))
    assert ended.code == 0, ended.err
    told: dict[str, Any] = ended.json
    return told


@pytest.mark.usefixtures("builder")
@pytest.mark.parametrize("library", ["sdk-1", "sdk-2", "npm"])
def test_a_template_lives_its_life(served: Served, place: Place, library: str) -> None:
    told = told_by(library, served, place.group)
    refused = {"sdk-1": "HttpResponseError", "sdk-2": "HttpResponseError", "npm": "RestError"}[library]
    missing = "RestError" if library == "npm" else "ResourceNotFoundError"
    assert told == {
        "missing": {"type": missing, "code": "ResourceNotFound"},
        "made": "Succeeded",
        "source": "PlatformImage",
        "tags": {"team": "web", "a": "b"},
        "run": "Succeeded",
        "outputs": [place.image],
        "output": place.image,
        "not running": {"type": refused, "code": "OperationNotAllowed"},
        "trigger": "Healthy",
        "triggers": ["newer"],
        "listed": ["web"],
        "gone": True,
    }


@pytest.mark.usefixtures("builder")
def test_galleries_and_images_are_read_and_written(served: Served, place: Place) -> None:
    given = arguments(served, place.group)
    ended = run("azure-sdk-2", PROGRAMS / "compute.py", given, REQUESTS_CA_BUNDLE=str(served.ca))
    assert ended.code == 0, ended.err
    assert ended.json == {
        "gallery": "Succeeded",
        "definition": "us",
        "regions": ["West US 2"],
        "versions": ["1.0.0"],
        "image": "Linux",
        "images": ["golden"],
        "left": [],
        "gone": "ResourceNotFound",
    }
