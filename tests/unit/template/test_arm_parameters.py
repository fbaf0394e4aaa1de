"""Parameters of deployment templates: values from files and --set, secrets, what has none; real templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.deployment_templates import GROUP, built, codes, image, read, said, text_of
from vmwright.template import model, read_all
from vmwright.template.catalogue import Rule

TEMPLATES = Path(__file__).parents[4] / "shared" / "templates"


FILES = [path for path in sorted(TEMPLATES.glob("*.json")) if b'"resources"' in path.read_bytes()]


needs_templates = pytest.mark.skipif(not FILES, reason="the real templates (../shared/templates) are missing")


GIVEN = {
    "imageTemplateName": "mine",
    "svclocation": "westus2",
    "api-version": "2020-02-14",
    "managedImageResGroupId": f"{GROUP}/providers/Microsoft.Compute/images/",
    "managedImageName": "web",
    "packagesToInstall": "nginx",
    "targetOS": "linux",
    "sigDefImgVersionId": f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/d/versions/1.0.0",
}


@needs_templates
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_real_template_checks_and_takes_its_parameters(path: Path) -> None:
    without = read_all(path.read_bytes())
    assert without.errors == ()
    assert Rule.PARAMETER_OPEN.code in codes(without)
    values = {name: value for name, value in GIVEN.items() if name.lower() in path.read_text().lower()}
    readings = read_all(path.read_bytes(), values=values, for_build=True)
    assert readings.errors == ()
    (template,) = built(readings)
    assert template.name == "mine"
    assert template.location == "westus2"


@needs_templates
def test_the_environment_variables_of_a_real_template() -> None:
    (path,) = [path for path in FILES if "solutions_4" in path.name]
    values = {
        name: value for name, value in GIVEN.items() if name not in {"api-version", "sigDefImgVersionId"}
    }
    (template,) = built(read_all(path.read_bytes(), values=values, for_build=True))
    first, second = template.customize
    assert isinstance(first, model.Shell)
    assert isinstance(second, model.Shell)
    assert first.inline[0] == "Target_OS=linux"
    assert second.inline[0] == "app_Packages=nginx"
    (output,) = template.distribute
    assert isinstance(output, model.ManagedImage)
    assert output.image_id == f"{GROUP}/providers/Microsoft.Compute/images/web"
    assert template.api_version == "2019-05-01-preview"


def test_values_keep_their_types() -> None:
    steps = [{"type": "Shell", "name": "given", "inline": ["echo [[not]"]}]
    data = text_of(
        image(
            properties={
                "customize": "[parameters('steps')]",
                "buildTimeoutInMinutes": "[parameters('minutes')]",
            }
        ),
        parameters={"steps": {"type": "array"}, "minutes": {"type": "int", "defaultValue": 30}},
    )
    (template,) = built(read(data, steps=json.dumps(steps)))
    assert template.timeout_seconds == 30 * 60
    (step,) = template.customize
    assert isinstance(step, model.Shell)
    assert step.inline == ("echo [[not]",)


PARAMETERS = {
    "count": {"type": "int", "minValue": 1, "maxValue": 5},
    "size": {"type": "string", "allowedValues": ["small", "big"]},
    "word": {"type": "string", "minLength": 2, "maxLength": 3},
    "flag": {"type": "bool"},
    "list": {"type": "array", "maxLength": 1},
    "thing": {"type": "object"},
}


GOOD: dict[str, Any] = {
    "count": "3",
    "size": "big",
    "word": "abc",
    "flag": "TRUE",
    "list": "[1]",
    "thing": '{"a": 1}',
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("count", "x", "is `x`; it must be an integer"),
        ("count", "0", "has the value 0; it must be from 1 to 5"),
        ("size", "huge", "`huge`, which is not allowed"),
        ("word", "a", "has the length 1; it must be from 2 to 3"),
        ("flag", "yes", "it must be a boolean"),
        ("list", "[1, 2]", "has the length 2; it must be 1 at most"),
        ("list", "[", "takes JSON"),
        ("thing", "[]", "is an array; it must be an object"),
    ],
)
def test_a_value_that_a_parameter_does_not_take(name: str, value: str, message: str) -> None:
    data = text_of(image(), parameters=PARAMETERS)
    assert read(data, **GOOD).errors == ()
    readings = read(data, **{**GOOD, name: value})
    (problem,) = readings.errors
    assert problem.code == Rule.PARAMETER_VALUE.code
    assert message in problem.message
    assert f"--set {name}" in problem.message
    assert problem.path == f"parameters.{name}"


def test_parameter_files_as_az_takes_them() -> None:
    data = text_of(
        image("[parameters('name')]", location="[parameters('where')]"),
        parameters={"name": {"type": "string"}, "where": {"type": "string", "defaultValue": "eastus"}},
    )
    whole = {"$schema": "deploymentParameters.json#", "parameters": {"NAME": {"value": "a"}}}
    assert built(read(data, whole))[0].name == "a"
    assert built(read(data, {"name": {"value": "a"}}))[0].name == "a"
    assert built(read(data, {"name": "a"}))[0].name == "a"
    assert built(read(data, whole, {"name": "b", "where": "westus"}))[0].name == "b"
    assert built(read(data, whole, name="c"))[0].name == "c"


@pytest.mark.parametrize(
    ("file", "rule"),
    [
        ({"parameters": {"nam": {"value": "a"}}}, Rule.PARAMETER_UNKNOWN),
        ({"parameters": {"name": "a"}}, Rule.PARAMETER_FILE),
        ({"parameters": []}, Rule.PARAMETER_FILE),
        ([], Rule.JSON_NOT_OBJECT),
        ({"parameters": {"name": {"reference": {"secretName": "s"}}}}, Rule.KEY_VAULT),
    ],
)
def test_a_parameter_file_that_is_none(file: Any, rule: Rule) -> None:
    data = text_of(
        image("[parameters('name')]"), parameters={"name": {"type": "string", "defaultValue": "x"}}
    )
    message = said(read(data, file), rule)
    assert "p0.json" in message


@pytest.mark.parametrize("for_build", [False, True])
def test_a_value_in_a_key_vault_is_not_missed_where_it_is_given_otherwise(*, for_build: bool) -> None:
    data = text_of(image("[parameters('name')]"), parameters={"name": {"type": "securestring"}})
    vault = {"parameters": {"name": {"reference": {"secretName": "s"}}}}
    assert codes(read(data, vault, for_build=for_build)) == {Rule.KEY_VAULT.code}
    assert codes(read(data, vault, for_build=for_build, name="x")) == set()
    assert codes(read(data, vault, {"name": "x"}, for_build=for_build)) == set()


def test_a_secret_is_not_asked_for_on_the_command_line() -> None:
    declared = {"name": {"type": "secureString"}, "size": {"type": "string"}}
    problems = read(
        text_of(image("[concat(parameters('name'), parameters('size'))]"), parameters=declared)
    ).problems
    hints = {one.path: one.hint for one in problems if one.code == Rule.PARAMETER_OPEN.code}
    assert hints == {
        "parameters.name": "--parameters FILE",
        "parameters.size": "--set size=VALUE, or --parameters FILE",
    }


def test_a_parameter_file_beside_a_plain_template() -> None:
    plain = json.dumps({key: value for key, value in image().items() if key != "dependsOn"}).encode()
    assert codes(read(plain, {})) == {Rule.PARAMETER_FILE.code}


def test_a_parameter_without_value_is_a_note_and_for_a_build_an_error() -> None:
    data = text_of(
        image("[parameters('name')]", properties={"source": "[parameters('source')]"}),
        parameters={"name": {"type": "string"}, "source": {"type": "object"}},
    )
    readings = read(data)
    assert codes(readings) == {Rule.PARAMETER_OPEN.code}
    assert readings.errors == ()
    assert [one.path for one in read(data, for_build=True).errors] == ["parameters.name", "parameters.source"]


def test_secrets_are_given_to_the_caller_and_shown_nowhere() -> None:
    data = text_of(
        image(
            properties={
                "customize": [
                    {"type": "Shell", "name": "[parameters('key')]", "inline": ["[parameters('key')]"]}
                ],
                "distribute": [{"type": "VHD", "runOutputName": "[parameters('key')]"}],
            }
        ),
        parameters={"key": {"type": "secureString", "maxLength": 20}, "more": {"type": "secureObject"}},
    )
    readings = read(data, key="hunter2 hunter2", more='{"a": ["deep-secret"]}')
    assert set(readings.secrets) == {"hunter2 hunter2", "deep-secret"}
    assert Rule.NAME_PATTERN.code in codes(readings)
    assert "hunter2" not in "".join(
        f"{one.message}{one.hint}{one.azure_message}" for one in readings.problems
    )
    template = built(read(data, key="hunter2", more="{}"))[0]
    assert "hunter2" not in json.dumps(dict(template.document))
    assert "hunter2" in str(template.customize)
    refused = read(data, key="very-secret-and-far-too-long", more="{}")
    assert "very-secret" not in said(refused, Rule.PARAMETER_VALUE)


def test_a_secret_of_one_character_leaves_a_document() -> None:
    web = image(tags={"size": "5", 'a"b': "is 5"}, properties={"buildTimeoutInMinutes": 60})
    data = text_of(web, parameters={"more": {"type": "secureObject"}})
    document = built(read(data, more='{"size": 5, "minutes": 60, "quote": "\\""}'))[0].document
    assert document["tags"] == {"size": "******", "a******b": "is ******"}
    assert document["properties"]["buildTimeoutInMinutes"] == "******"


def test_set_of_a_name_that_nothing_uses() -> None:
    data = text_of(image(), parameters={"name": {"type": "string", "defaultValue": "x"}})
    assert "did you mean `name`?" in said(read(data, nmae="x"), Rule.PLACEHOLDER_UNKNOWN)
    assert read(data, resourceGroup="rg", location="eastus").errors == ()


def test_local_defaults_are_named_and_set() -> None:
    data = text_of(image(location="[resourceGroup().location]"))
    assert "westus2" in said(read(data), Rule.ARM_DEFAULT)
    given = read(data, location="eastus", rgName="mine")
    assert said(given, Rule.ARM_DEFAULT) == ""
    assert built(given)[0].location == "eastus"
    assert "/resourceGroups/mine/" in given.readings[0].id
