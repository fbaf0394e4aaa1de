"""The JSON Schema of a template: valid itself, as strict as reading, never stricter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from tests.drawn_templates import bodies
from vmwright.template import Severity, document
from vmwright.template.catalogue import Rule
from vmwright.template.checking import RESOURCE_TYPE, check
from vmwright.template.contract import (
    API_VERSIONS,
    STRICT_SINCE,
    reaches,
)
from vmwright.template.placeholders import fill
from vmwright.template.reading import Reader
from vmwright.template.schema import json_schema
from vmwright.template.shapes import ENVELOPE, SHAPES

SCHEMAS = {version: json_schema(version) for version in API_VERSIONS}
VALIDATORS = {version: Draft7Validator(schema) for version, schema in SCHEMAS.items()}
CORPUS = sorted((Path(__file__).parents[4] / "shared" / "templates").glob("*.json"))
SHORT_TYPE = re.compile(r'"type": *"Microsoft\.VirtualMachineImages"')
IMAGE_ID = "/subscriptions/s/resourceGroups/r/providers/Microsoft.Compute/images/i"
SOURCE = {"type": "ManagedImage", "imageId": IMAGE_ID}
VHD = {"type": "VHD", "runOutputName": "out"}
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)


def faults(version: str, body: object) -> set[str]:
    """Where a body breaks the schema of an api-version."""
    return {error.json_path for error in VALIDATORS[version].iter_errors(body)}


def template(**properties: object) -> dict[str, object]:
    return {"location": "westus2", "properties": {"source": SOURCE, "distribute": [VHD], **properties}}


@pytest.mark.parametrize("version", API_VERSIONS)
def test_each_schema_is_one(version: str) -> None:
    Draft7Validator.check_schema(SCHEMAS[version])
    references = re.findall(r'"\$ref": "#/definitions/(\w+)"', json.dumps(SCHEMAS[version]))
    definitions = SCHEMAS[version]["definitions"]
    assert isinstance(definitions, dict)
    assert set(references) == set(definitions)


@pytest.mark.skipif(not CORPUS, reason="real templates (../shared/templates) are missing")
@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_real_templates_fit_the_schema_of_their_api_version(file: Path) -> None:
    text = file.read_text()
    tree, _ = document.parse(text.encode())
    assert tree is not None
    body = document.plain_object(tree)
    if "resources" in body:
        pytest.skip("an ARM deployment template: the schema is that of an image template alone")
    recorded = re.search(r"_(20\d\d-\d\d-\d\d(?:-preview)?)_PUT", file.name)
    version = body.get("apiVersion") or (recorded and recorded[1])
    # Some quickstarts write `type` without `/imageTemplates`: a warning of `check` as well.
    assert faults(str(version), body) == ({"$.type"} if SHORT_TYPE.search(text) else set())


@pytest.mark.parametrize("version", API_VERSIONS)
def test_objects_offer_what_the_api_version_has_and_close_when_azure_does(version: str) -> None:
    definitions: Any = SCHEMAS[version]["definitions"]
    for shape, schema in [
        (ENVELOPE, SCHEMAS[version]),
        *((SHAPES[name], definitions[name]) for name in definitions),
    ]:
        fields = [field for field in shape.fields if field.exists_in(version)]
        properties: Any = schema["properties"]
        assert list(properties) == [field.name_in(version) for field in fields]
        assert {name for name, one in properties.items() if one.get("readOnly")} == {
            field.name for field in fields if field.read_only
        }
        assert all(one["description"] for one in properties.values())
        assert ("additionalProperties" in schema) == reaches(version, STRICT_SINCE)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"properties": template()["properties"]}, "$"),
        (template(buildTimeoutInMinutes=961), "$.properties.buildTimeoutInMinutes"),
        (template(buildTimeoutInMinutes="60"), "$.properties.buildTimeoutInMinutes"),
        (template(distribute=[]), "$.properties.distribute"),
        (template(customize=[{}]), "$.properties.customize[0]"),
        (template(customize=[{"type": "Shel"}]), "$.properties.customize[0].type"),
        (template(customize=[{"type": "shell"}]), "$.properties.customize[0].type"),
        (template(customize=[{"type": "Shell", "inline": "true"}]), "$.properties.customize[0].inline"),
        (
            template(customize=[{"type": "Shell", "sha256Checksum": "0" * 63}]),
            "$.properties.customize[0].sha256Checksum",
        ),
        (
            template(customize=[{"type": "File", "sourceUri": "https://a.example/b"}]),
            "$.properties.customize[0]",
        ),
        (template(source={**SOURCE, "imageId": IMAGE_ID + "/"}), "$.properties.source.imageId"),
        (template(source={**SOURCE, "imageId": ""}), "$.properties.source.imageId"),
        (template(distribute=[{**VHD, "runOutputName": "a b"}]), "$.properties.distribute[0].runOutputName"),
        ({**template(), "tags": {"a": 1}}, "$.tags"),
        ({**template(), "apiVersion": "2019-05-01-preview"}, "$.apiVersion"),
    ],
)
@pytest.mark.parametrize("version", ["2020-02-14", "2025-10-01"])
def test_what_is_wrong_is_found_where_it_stands(version: str, body: object, path: str) -> None:
    (found,) = faults(version, body)
    assert found.startswith(path)


def test_an_unknown_field_is_wrong_since_azure_refuses_it() -> None:
    body = template(customize=[{"type": "Shell", "inlin": ["true"]}])
    assert faults("2023-07-01", body) == set()
    assert faults(STRICT_SINCE, body) == {"$.properties.customize[0]"}


def test_placeholders_stand_wherever_a_value_can() -> None:
    body = template(
        source={"type": "ManagedImage", "imageId": "/subscriptions/<subscriptionID>/and so on"},
        customize=[{"type": "<kind>"}, {"type": "File", "sourceUri": "<uri>", "destination": "<path>"}],
        distribute=[{"type": "SharedImage", "runOutputName": "<a b>", "galleryImageId": "<definition>"}],
        buildTimeoutInMinutes="<minutes>",
        validate={"sourceValidationOnly": "<only>", "inVMValidations": []},
    )
    body |= {
        "identity": {"type": "<t>", "userAssignedIdentities": {"<imgBuilderId>": {}}},
        "apiVersion": "<v>",
    }
    assert faults("2025-10-01", body) == set()


def complaints(version: str, body: object) -> Iterator[str]:
    """What reading has against a body; of the rules beyond the contract only what the schema says as well."""
    tree, _ = document.parse(json.dumps(body).encode())
    assert tree is not None
    filled = fill(tree, {}, name="template", for_build=False)
    reader = Reader(version, filled.open_paths)
    checked = reader.read(filled.tree, ENVELOPE)
    yield from (one.message for one in reader.problems if one.severity is not Severity.NOTE)
    yield from (one.message for one in check(checked, version) if one.code == Rule.DISTRIBUTE_EMPTY.code)


@unhurried
@given(st.sampled_from(API_VERSIONS), st.data())
def test_what_the_contract_allows_both_accept(version: str, data: st.DataObject) -> None:
    body = data.draw(bodies(version))
    assert list(complaints(version, body)) == []
    assert faults(version, body) == set()


@unhurried
@given(st.sampled_from(API_VERSIONS), st.data())
def test_what_reading_takes_without_a_warning_the_schema_takes(version: str, data: st.DataObject) -> None:
    body = data.draw(bodies(version, wild=True)) | {"type": RESOURCE_TYPE, "apiVersion": version}
    if not any(complaints(version, body)):
        assert faults(version, body) == set()
