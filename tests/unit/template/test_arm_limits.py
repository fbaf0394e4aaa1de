"""Deployment templates come from strangers: no input crashes, and none makes more than the limits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmwright.template import ParameterFile, Readings, read_all
from vmwright.template.catalogue import Rule
from vmwright.template.deployment.functions import FUNCTIONS
from vmwright.template.deployment.syntax import Access, Call, Expression, Literal

IMAGE = {
    "type": "Microsoft.VirtualMachineImages/imageTemplates",
    "apiVersion": "2020-02-14",
    "name": "i",
    "location": "westus2",
    "properties": {},
}


def read(**sections: Any) -> Readings:
    document = {"$schema": "deploymentTemplate.json#", "resources": [IMAGE], **sections}
    return read_all(json.dumps(document).encode())


def of(name: str, value: str) -> dict[str, str]:
    return {name: f"[{value}]"}


def doubled(of_one: str) -> dict[str, str]:
    """Variables of which each one is the one before, twice."""
    function = "concat" if of_one == "x" else "createArray"
    made = {"v0": of_one}
    for index in range(1, 60):
        before = f"variables('v{index - 1}')"
        made[f"v{index}"] = f"[{function}({before},{before})]"
    return made


@pytest.mark.parametrize(
    "variables",
    [
        doubled("x"),
        doubled("[createArray(1)]"),
        of("a", "padLeft('x', 9999999)"),
        of("a", "replace(padLeft('', 4000000), ' ', padLeft('', 4000))"),
        of("a", "join(range(0, 10000), padLeft('', 4000))"),
        of("a", "format('{0,9999999}', 1)"),
        of("a", "map(range(0,9999), lambda('x', map(range(0,9999), lambda('y', 1))))"),
        of("a", "json(concat(padLeft('', 100, '['), padLeft('', 100, ']')))"),
        {"copy": [{"name": "a", "count": 801, "input": 1}]},
        {"v0": "x", **{f"v{n}": f"[createArray(variables('v{n - 1}'))]" for n in range(1, 200)}},
        {"v0": "x", **{f"v{n}": f"[concat(variables('v{n - 1}'))]" for n in range(200, 0, -1)}},
        {
            "a": {
                "copy": [
                    {"name": "b", "count": 800, "input": {"copy": [{"name": "c", "count": 800, "input": 1}]}}
                ]
            }
        },
    ],
    ids=range(12),
)
def test_what_grows_without_end_is_refused(variables: dict[str, Any]) -> None:
    last = list(variables)[-1]
    readings = read(variables=variables, outputs={"o": {"value": f"[variables('{last}')]"}})
    assert Rule.ARM_LIMIT.code in {problem.code for problem in readings.errors}


def test_loops_of_resources_and_deployments_have_limits() -> None:
    many = [
        {**IMAGE, "name": f"[concat('a{n}', copyIndex())]", "copy": {"name": f"c{n}", "count": 800}}
        for n in (1, 2)
    ]
    assert Rule.ARM_LIMIT.code in {one.code for one in read(resources=many).errors}
    nested: dict[str, Any] = {"resources": [IMAGE]}
    for _ in range(8):
        deployment = {"type": "Microsoft.Resources/deployments", "apiVersion": "1", "name": "n"}
        nested = {"resources": [{**deployment, "properties": {"template": nested}}]}
    assert Rule.ARM_LIMIT.code in {one.code for one in read(**nested).errors}


def test_a_resource_or_parameter_or_function_that_needs_itself() -> None:
    own = {"namespace": "a", "members": {"b": {"parameters": [], "output": {"value": "[a.b()]"}}}}
    readings = read(
        functions=[own],
        parameters={"p": {"type": "string", "defaultValue": "[parameters('p')]"}},
        variables={"f": "[a.b()]"},
        resources=[
            IMAGE,
            {"type": "A/b", "apiVersion": "1", "name": "x", "properties": {"y": "[reference('x').y]"}},
        ],
    )
    assert {Rule.ARM_CYCLE.code, Rule.ARM_LIMIT.code} <= {one.code for one in readings.problems}


NAMES = st.sampled_from(sorted(function.name for function in FUNCTIONS.values()))
LITERALS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-3, 12),
    st.sampled_from(
        ["", "a", "b,c", "{0:N2}", "{0}", "Microsoft.A/b", "P1D", "2020-01-01", "x", "[1, {}]", "ä'"]
    ),
)


def call(arguments: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    calls = st.builds(Call, NAMES, st.lists(arguments, max_size=4).map(tuple))
    return calls | st.builds(Access, calls, LITERALS.map(Literal))


def written(expression: Expression) -> str:
    match expression:
        case Literal(value=str() as text):
            return "'" + text.replace("'", "''") + "'"
        case Literal(value=value):
            return str(value)
        case Call():
            return f"{expression.name}({','.join(map(written, expression.arguments))})"
        case Access():
            return f"{written(expression.target)}[{written(expression.key)}]"


@settings(max_examples=400, deadline=None)
@given(st.recursive(LITERALS.map(Literal), call, max_leaves=12))
def test_no_expression_crashes(expression: Expression) -> None:
    text = f"[{written(expression)}]"
    readings = read(
        variables={"a": text},
        parameters={"x": {"type": "string", "defaultValue": text}},
        resources=[{**IMAGE, "tags": {"t": text}, "name": text}],
        outputs={"o": {"type": "string", "value": text}},
    )
    assert all(problem.message for problem in readings.problems)


KEYS = st.sampled_from(
    [
        *("type", "apiVersion", "name", "properties", "resources", "copy", "count", "input", "condition"),
        *("dependsOn", "parameters", "variables", "functions", "namespace", "members", "output", "outputs"),
        *("value", "defaultValue", "$ref", "allowedValues", "template", "scope", "existing", "[concat('a')]"),
    ]
)
SCALARS = st.sampled_from(
    [
        *(None, True, 0, 3, 1.5, "", "a", "[", "[]", "[[a]", "string", "object", "#/definitions/a"),
        *("Microsoft.Resources/deployments", "Microsoft.VirtualMachineImages/imageTemplates", "a/b"),
        *(
            "[copyIndex()]",
            "[parameters('a')]",
            "[variables('a')]",
            "[reference('a').b]",
            "[createArray('a')]",
        ),
    ]
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=st.dictionaries(KEYS, TREES, max_size=6), file=TREES, for_build=st.booleans())
def test_no_template_crashes(tree: dict[str, Any], file: Any, *, for_build: bool) -> None:
    document = json.dumps({"$schema": "deploymentTemplate.json#", **tree}).encode()
    files = [ParameterFile("p.json", json.dumps(file).encode())]
    readings = read_all(document, values={"a": "x"}, parameters=files, for_build=for_build)
    assert all(problem.message for problem in readings.problems)
