"""What is said of deployment templates that are wrong, and where it points."""

from __future__ import annotations

import json

import pytest

from tests.deployment_templates import IMAGES, built, codes, image, read, said, text_of
from vmwright.template.catalogue import Rule


def test_dependencies_that_are_unknown_or_go_in_a_circle() -> None:
    assert said(read(text_of(image(depends_on=["other"]))), Rule.ARM_DEPENDS_ON).startswith(
        "`dependsOn` names `other`"
    )
    circle = read(text_of(image("a", depends_on=["b"]), image("b", depends_on=["a"])))
    assert "`a`" in said(circle, Rule.ARM_CYCLE)
    assert "itself" in said(read(text_of(image("a", depends_on=["a"]))), Rule.ARM_CYCLE)
    assert "twice" in said(read(text_of(image("a"), image("A"))), Rule.ARM_RESOURCE_TWICE)


def test_references_inside_the_template_and_outside() -> None:
    identity = {
        "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
        "apiVersion": "2018-11-30",
        "name": "i",
        "properties": {"known": "westus2", "deep": {"a": 1}},
    }
    role = {
        "type": "Microsoft.Authorization/roleAssignments",
        "apiVersion": "1",
        "name": "r",
        "properties": {"principalId": "[reference('i').principalId]"},
    }
    good = read(text_of(image(location="[reference('i').known]"), identity, role))
    deep = text_of(image(tags={"a": "[reference('i', '1', 'full').properties.deep.b]"}), identity)
    assert Rule.ARM_RUNTIME.code in codes(read(deep))
    assert [one.location for one in built(good)] == ["westus2"]
    assert good.readings[0].needs != frozenset()
    assert Rule.ARM_RUNTIME.code not in codes(good)
    for expression in (
        "[reference('i').principalId]",
        "[reference('gone').x]",
        "[listKeys('a', '1').keys[0]]",
    ):
        data = text_of(image(tags={"a": expression}), identity)
        readings = read(data)
        assert Rule.ARM_RUNTIME.code in codes(readings)
        assert readings.errors == ()
        assert [one.code for one in read(data, for_build=True).unsupported if one.is_error] == [
            Rule.ARM_RUNTIME.code
        ]


def test_functions_of_ones_own() -> None:
    functions = [
        {
            "namespace": "contoso",
            "members": {
                "named": {
                    "parameters": [{"name": "prefix", "type": "string"}],
                    "output": {"type": "string", "value": "[concat(parameters('prefix'), '-x')]"},
                }
            },
        }
    ]
    data = text_of(image("[contoso.named('web')]"), functions=functions)
    assert built(read(data))[0].name == "web-x"
    assert "named()" in said(
        read(text_of(image("[contoso.nam('a')]"), functions=functions)), Rule.ARM_FUNCTION_UNKNOWN
    )
    assert "1 arguments, not 0" in said(
        read(text_of(image("[contoso.named()]"), functions=functions)), Rule.ARM_EVALUATION
    )


@pytest.mark.parametrize(
    ("expression", "rule", "hint"),
    [
        ("[tolowr('a')]", Rule.ARM_FUNCTION_UNKNOWN, "did you mean toLower()?"),
        ("[pickZones('a', 'b', 'c')]", Rule.ARM_FUNCTION_MISSING, "--set"),
        ("[parameters('nam')]", Rule.ARM_NAME_UNKNOWN, "did you mean `name`?"),
        ("[variables('x')]", Rule.ARM_NAME_UNKNOWN, "declare it in `variables`"),
        ("[concat('a'", None, ""),
        ("[concat('a']", Rule.ARM_SYNTAX, ""),
        ("[ -f /x ]", Rule.ARM_SYNTAX, "[["),
    ],
)
def test_what_is_said_of_an_expression_and_where(expression: str, rule: Rule | None, hint: str) -> None:
    data = text_of(
        image(properties={"customize": [{"type": "Shell", "name": "s", "inline": ["true", expression]}]}),
        parameters={"name": {"type": "string", "defaultValue": "x"}},
    )
    readings = read(data)
    found = [one for one in readings.problems if rule is not None and one.code == rule.code]
    if rule is None:
        assert codes(readings) == set()
        return
    (problem,) = found
    assert problem.path == "resources[0].properties.customize[0].inline[1]"
    line = data.decode().splitlines()[problem.line - 1]
    assert line[problem.column - 1 :].rstrip(",") == json.dumps(expression)
    assert hint in problem.hint
    assert codes(readings) == {problem.code}


def test_a_problem_of_an_evaluated_value_points_at_its_expression() -> None:
    data = text_of(
        image(properties={"distribute": "[variables('d')]"}),
        variables={"d": [{"type": "VHD"}]},
    )
    (problem,) = read(data).errors
    assert problem.path == "resources[0].properties.distribute[0]"
    assert "variables('d')" in data.decode().splitlines()[problem.line - 1]
    assert "'ImageTemplate.properties.distribute[0]'" in problem.azure_message


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (text_of(), Rule.ARM_NO_IMAGE),
        (text_of(resources="x"), Rule.ARM_STRUCTURE),
        (text_of("x"), Rule.ARM_STRUCTURE),
        (text_of({"type": IMAGES}), Rule.ARM_STRUCTURE),
        (text_of(image("a/b")), Rule.ARM_STRUCTURE),
        (text_of(image(dependsOn=[{}])), Rule.ARM_STRUCTURE),
        (text_of(image(condition="[concat('x')]")), Rule.ARM_EVALUATION),
        (text_of(image(), parameters=[]), Rule.ARM_STRUCTURE),
        (text_of(image(), parameters={"p": {"type": "text"}}), Rule.ARM_STRUCTURE),
        (text_of(image(), paramters={}), Rule.FIELD_UNKNOWN),
        (text_of(image(), parameters={"p": {"type": "string"}}), Rule.PARAMETER_OPEN),
        (
            text_of(
                image(),
                parameters={
                    "p": {"type": "string", "defaultValue": "[deployment().properties.templateLink.uri]"}
                },
            ),
            Rule.PARAMETER_OPEN,
        ),
    ],
)
def test_templates_of_the_wrong_shape(data: bytes, rule: Rule) -> None:
    assert rule.code in codes(read(data))


def test_an_expression_in_a_plain_template_is_a_text_with_a_warning() -> None:
    resource = {key: value for key, value in image(tags={"a": "[concat('a')]"}).items() if key != "dependsOn"}
    readings = read(json.dumps(resource).encode())
    (template,) = built(readings)
    assert template.tags == {"a": "[concat('a')]"}
    assert codes(readings) == {Rule.ARM_PLAIN.code}


def test_a_loop_of_variables_that_is_incomplete() -> None:
    loop = {"name": "disks", "count": 2}
    customize = [{"type": "Shell", "name": "one", "inline": ["[string(variables('disks'))]"]}]
    web = image(properties={"customize": customize})
    readings = read(text_of(web, variables={"copy": [loop]}))
    assert "`disks` has no `count` or no `input`" in said(readings, Rule.ARM_STRUCTURE)
