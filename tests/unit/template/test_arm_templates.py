"""Deployment templates as a whole: variables, loops, order, nested ones; image templates in them."""

from __future__ import annotations

import pytest

from tests.deployment_templates import GROUP, IMAGES, built, codes, image, read, said, text_of
from vmwright.template import model
from vmwright.template.catalogue import Rule
from vmwright.template.deployment import LocalHost, evaluate
from vmwright.template.document import parse


def test_variables_are_lazy_and_a_loop_of_them_is_said_once() -> None:
    data = text_of(
        image("[variables('a')]"),
        variables={
            "a": "[concat(variables('b'), '')]",
            "b": "[variables('c').x]",
            "c": {"x": "[variables('a')]"},
        },
    )
    readings = read(data)
    assert [one.code for one in readings.errors] == [Rule.ARM_CYCLE.code]
    ok = text_of(image("[variables('a')]"), variables={"a": "[variables('b')]", "b": "web2"})
    assert built(read(ok))[0].name == "web2"


def test_loops_of_variables_and_properties() -> None:
    steps = {
        "name": "customize",
        "count": "[length(variables('words'))]",
        "input": {
            "type": "Shell",
            "name": "[format('step{0}', copyIndex('customize', 1))]",
            "inline": ["[concat('echo ', variables('words')[copyIndex('customize')])]"],
        },
    }
    resource = image()
    del resource["properties"]["customize"]
    resource["properties"]["copy"] = [steps]
    data = text_of(
        resource,
        variables={"copy": [{"name": "words", "count": 2, "input": "[concat('w', copyIndex('words'))]"}]},
    )
    (template,) = built(read(data))
    assert [(step.name, step.path) for step in template.customize] == [
        ("step1", "resources[0].properties.customize[0]"),
        ("step2", "resources[0].properties.customize[1]"),
    ]
    assert [step.inline for step in template.customize if isinstance(step, model.Shell)] == [
        ("echo w0",),
        ("echo w1",),
    ]


def test_a_loop_of_image_templates() -> None:
    data = text_of(
        image(
            "[concat('web', copyIndex())]",
            copy={"name": "all", "count": "[parameters('n')]"},
            properties={"distribute": [{"type": "VHD", "runOutputName": "[concat('out', copyIndex())]"}]},
        ),
        image("last", depends_on=["all"]),
        parameters={"n": {"type": "int", "defaultValue": 2}},
    )
    readings = read(data)
    assert [one.name for one in built(readings)] == ["web0", "web1", "last"]
    assert len(readings.readings[2].needs) == 2
    assert codes(read(data, n="801")) == {Rule.ARM_LIMIT.code, Rule.ARM_DEPENDS_ON.code}


@pytest.mark.parametrize(
    "reference",
    ["base", f"[resourceId('{IMAGES}', 'base')]", f"{IMAGES}/base", f"[concat('{IMAGES}/', 'BASE')]"],
)
def test_image_templates_are_built_in_the_order_of_depends_on(reference: str) -> None:
    readings = read(text_of(image("second", depends_on=[reference]), image("base"), image("third")))
    assert [one.name for one in built(readings)] == ["base", "third", "second"]
    base, third, second = readings.readings
    assert (second.needs, third.needs) == (frozenset({base.id.casefold()}), frozenset())


def test_depends_on_through_resources_that_are_not_made() -> None:
    between = {"type": "Microsoft.Foo/bars", "apiVersion": "1", "name": "bar", "dependsOn": ["base"]}
    readings = read(text_of(image("second", depends_on=["bar"]), between, image("base")))
    base, second = readings.readings
    assert base.id.casefold() in second.needs
    assert codes(readings) == {Rule.ARM_NOT_MADE.code}
    assert "Microsoft.Foo/bars is not made here: `bar`" in said(readings, Rule.ARM_NOT_MADE)


def test_resources_by_symbolic_names() -> None:
    data = text_of(
        languageVersion="2.0",
        resources={
            "second": image("b", depends_on=["first"]),
            "first": image("a"),
            "old": {"existing": True, "type": "Microsoft.Foo/bars", "apiVersion": "1", "name": "x"},
        },
    )
    readings = read(data)
    assert [one.name for one in built(readings)] == ["a", "b"]
    assert readings.resources == ()


def test_a_false_condition_leaves_an_image_template_out() -> None:
    data = text_of(
        image("a", condition="[parameters('wanted')]"),
        image("b", depends_on=["a"]),
        parameters={"wanted": {"type": "bool", "defaultValue": False}},
    )
    readings = read(data)
    assert [one.name for one in built(readings)] == ["b"]
    assert codes(readings) == {Rule.ARM_CONDITION.code}
    assert [one.name for one in built(read(data, wanted="true"))] == ["a", "b"]


def test_galleries_are_handed_over_evaluated() -> None:
    definition = {
        "type": "images",
        "apiVersion": "2022-03-03",
        "name": "[variables('definition')]",
        "location": "[resourceGroup().location]",
        "dependsOn": ["[resourceId('Microsoft.Compute/galleries', 'g')]"],
        "properties": {"osType": "Linux", "identifier": {"offer": "<imageName>"}},
    }
    gallery = {
        "type": "Microsoft.Compute/galleries",
        "apiVersion": "2022-03-03",
        "name": "g",
        "location": "westus2",
        "resources": [definition],
    }
    distribute = {
        "type": "SharedImage",
        "runOutputName": "o",
        "galleryImageId": "[resourceId('Microsoft.Compute/galleries/images', 'g', variables('definition'))]",
        "replicationRegions": ["westus2"],
    }
    template = image(properties={"distribute": [distribute]}, depends_on=["[variables('definition')]"])
    template["dependsOn"] = ["[resourceId('Microsoft.Compute/galleries/images', 'g', 'd')]"]
    readings = read(text_of(template, gallery, variables={"definition": "d"}), location="eastus")
    assert readings.errors == ()
    assert [(one.type, one.name) for one in readings.resources] == [
        ("Microsoft.Compute/galleries", "g"),
        ("Microsoft.Compute/galleries/images", "g/d"),
    ]
    made = readings.resources[1]
    assert made.id == f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/d"
    assert made.api_version == "2022-03-03"
    assert (made.body["name"], made.body["location"]) == ("g/d", "eastus")
    assert made.body["properties"]["identifier"]["offer"] == "d"
    assert readings.resources[0].id.casefold() in readings.readings[0].needs


def test_what_bicep_makes() -> None:
    steps = {"type": "array", "items": {"type": "object"}, "nullable": True}
    lock = {"type": "object", "properties": {"kind": {"type": "string", "nullable": True}}, "nullable": True}
    nested = {
        "copy": {"name": "disks", "count": 2},
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2022-09-01",
        "name": "[format('disk{0}', copyIndex())]",
        "properties": {
            "expressionEvaluationOptions": {"scope": "inner"},
            "mode": "Incremental",
            "parameters": {"name": {"value": "[format('{0}{1}', parameters('name'), copyIndex())]"}},
            "template": {
                "$schema": "deploymentTemplate.json#",
                "parameters": {"name": {"type": "string"}},
                "resources": {},
                "outputs": {"name": {"type": "string", "value": "[parameters('name')]"}},
            },
        },
    }
    template = image(
        "[parameters('name')]",
        tags={"disk": "[reference('disks[1]').outputs.name.value]"},
        properties={
            "customize": "[coalesce(parameters('steps'), createArray())]",
            "vmProfile": {"vnetConfig": "[if(empty(parameters('subnetId')), null(), variables('vnet'))]"},
        },
        depends_on=["disks"],
    )
    locked = {
        "condition": "[not(empty(coalesce(parameters('lock'), createObject())))]",
        "type": "Microsoft.Authorization/locks",
        "apiVersion": "2020-05-01",
        "scope": f"[format('{IMAGES}/{{0}}', parameters('name'))]",
        "name": "[coalesce(tryGet(parameters('lock'), 'name'), 'lock')]",
        "properties": {"level": "[tryGet(parameters('lock'), 'kind')]"},
        "dependsOn": ["template"],
    }
    data = text_of(
        languageVersion="2.0",
        definitions={"lockType": lock, "stepsType": steps},
        parameters={
            "name": {"type": "string", "defaultValue": "[toLower(uniqueString(deployment().name))]"},
            "subnetId": {"type": "string", "defaultValue": ""},
            "lock": {"$ref": "#/definitions/lockType"},
            "steps": {"$ref": "#/definitions/stepsType"},
        },
        variables={"vnet": {"subnetId": "[parameters('subnetId')]"}},
        resources={"disks": nested, "template": template, "lock": locked},
        outputs={
            "where": {"type": "string", "value": "[reference('template', '2020-02-14', 'full').location]"}
        },
    )
    readings = read(data, name="web")
    (made,) = built(readings)
    assert (made.name, made.tags, made.customize) == ("web", {"disk": "web1"}, ())
    assert made.vm_profile.vnet_config is None
    assert codes(readings) == set()
    locked_too = read(data, name="web", lock='{"kind": "ReadOnly"}')
    assert [one.body["properties"] for one in locked_too.resources] == [{"level": "ReadOnly"}]


def test_null_leaves_a_key_out() -> None:
    tags = {"a": "[if(true(), null(), 'x')]", "b": "c"}
    (template,) = built(read(text_of(image(tags=tags))))
    assert template.tags == {"b": "c"}


def test_outputs_with_conditions_and_loops() -> None:
    outputs = {
        "all": {"type": "array", "copy": {"count": 2, "input": "[concat('a', copyIndex())]"}},
        "none": {"type": "string", "condition": False, "value": "x"},
        "runtime": {"type": "string", "value": "[reference('gone').id]"},
    }
    tree, _ = parse(text_of(image(), outputs=outputs))
    assert tree is not None
    deployment = evaluate(tree, host=LocalHost(), given={}, for_build=True)
    assert deployment.outputs == {"all": {"type": "array", "value": ["a0", "a1"]}}
    assert deployment.problems == ()


def test_nested_deployments() -> None:
    inner = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "parameters": {"name": {"type": "string"}},
        "resources": [
            image("[parameters('name')]"),
            {**image("other"), "location": "[resourceGroup().location]"},
        ],
        "outputs": {"id": {"type": "string", "value": f"[resourceId('{IMAGES}', parameters('name'))]"}},
    }
    nested = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2022-09-01",
        "name": "module",
        "resourceGroup": "elsewhere",
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": "inner"},
            "parameters": {"name": {"value": "[parameters('name')]"}},
            "template": inner,
        },
    }
    outer = image("outer", tags={"of": "[reference('module').outputs.id.value]"})
    data = text_of(outer, nested, parameters={"name": {"type": "string", "defaultValue": "inner"}})
    readings = read(data)
    assert [one.name for one in built(readings)] == ["inner", "other", "outer"]
    first, _, last = readings.readings
    assert "/resourceGroups/elsewhere/" in first.id
    assert first.id.casefold() in last.needs
    template = last.template
    assert template is not None
    assert template.tags == {"of": first.id}
    linked = {**nested, "properties": {"templateLink": {"uri": "https://x/y.json"}}}
    assert "linked ones are not fetched" in said(read(text_of(image(), linked)), Rule.ARM_NOT_MADE)
    outer_scope = {**nested, "properties": {"template": {"resources": [image("[parameters('name')]")]}}}
    data = text_of(outer_scope, parameters={"name": {"type": "string", "defaultValue": "of-outer"}})
    assert [one.name for one in built(read(data))] == ["of-outer"]
