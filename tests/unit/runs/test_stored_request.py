"""A request that the database keeps is the one that was asked for; its secrets are in one place only."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.drawn_templates import bodies
from vmwright.errors import VmwrightError
from vmwright.runs.request import BuildRequest
from vmwright.runs.secrets import shown
from vmwright.runs.stored_request import StoredRequest, restored, stored
from vmwright.settings import MachineChoice
from vmwright.template import Template, read
from vmwright.template.contract import API_VERSIONS
from vmwright.template.model import Shell

unhurried = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    max_examples=150,
)
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"
VHD = {"type": "VHD", "runOutputName": "out"}
SIGNED = "https://account.blob.core.windows.net/c/a.sh?sig=hunter2"


def kept(request: BuildRequest) -> BuildRequest:
    """Return a request as it comes out of the database."""
    document = json.loads(json.dumps(dict(request.template.document)))
    return restored(StoredRequest.model_validate(json.loads(json.dumps(stored(request)))), document)


def template(*customize: dict[str, object], version: str = "2022-07-01", **changed: object) -> Template:
    properties = {
        "source": {"type": "PlatformImage", "publisher": "a", "offer": "b", "sku": "c", "version": "latest"},
        "customize": list(customize),
        "distribute": [VHD],
    }
    body: dict[str, object] = {
        "location": "westus2",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
        "properties": properties | changed,
    }
    reading = read(json.dumps(body).encode(), api_version=version, for_build=True)
    assert reading.template is not None, reading.errors
    return reading.template


@unhurried
@given(st.sampled_from(API_VERSIONS).flatmap(lambda version: st.tuples(st.just(version), bodies(version))))
def test_what_is_kept_of_a_drawn_template_is_the_same_template(drawn: tuple[str, dict[str, object]]) -> None:
    version, body = drawn
    reading = read(json.dumps(body).encode(), api_version=version)
    assume(reading.template is not None)
    assert reading.template is not None
    request = BuildRequest(template=reading.template, name="test")
    assert kept(request) == request


def test_all_that_is_asked_for_is_kept() -> None:
    request = BuildRequest(
        template=template({"type": "Shell", "name": "s", "inline": ["true"]}),
        name="web",
        machine=MachineChoice.CONTAINER,
        out=Path("/out"),
        formats=("qcow2", "raw"),
        sums=True,
        makes_galleries=False,
        secrets=("hunter2",),
    )
    assert kept(request) == request


@pytest.mark.parametrize("text", ["echo '<region>' <file >out", "[concat('a', 'b')]", "<<EOF"])
def test_a_text_is_kept_as_it_is(text: str) -> None:
    """Nothing is filled in twice: these are values of placeholders, or of a deployment's parameters."""
    step = Shell(name="s", path="properties.customize[0]", inline=(text,))
    request = BuildRequest(template=dataclasses.replace(template(), customize=(step,)), name="t")
    assert kept(request).template.customize == request.template.customize


def test_a_document_for_people_has_no_secrets() -> None:
    wanted = template(
        {"type": "Shell", "name": "s", "scriptUri": SIGNED},
        {"type": "Shell", "name": "password", "inline": ["login of-a-parameter"]},
    )
    document = shown(wanted, ["of-a-parameter", ""])
    assert not [secret for secret in ("hunter2", "of-a-parameter") if secret in str(document)]
    assert document["properties"]["customize"] == [
        {"type": "Shell", "name": "s", "scriptUri": SIGNED.replace("hunter2", "******")},
        {"type": "Shell", "name": "password", "inline": ["login ******"]},
    ]


def test_a_template_that_is_not_read_any_more_is_said() -> None:
    request = BuildRequest(template=template(), name="web")
    of_tomorrow = StoredRequest.model_validate(stored(request)).model_copy(update={"body": {"location": 1}})
    with pytest.raises(VmwrightError, match="template of web cannot be read any more"):
        restored(of_tomorrow, {})
