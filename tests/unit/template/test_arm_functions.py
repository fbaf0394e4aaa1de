"""The functions of ARM: what Azure's own reference says of each one, its edges and its errors."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import ROOT
from vmwright.template.catalogue import Rule
from vmwright.template.deployment import Deployment, LocalHost, Scope, evaluate
from vmwright.template.deployment.functions import FUNCTIONS, NOT_EVALUATED
from vmwright.template.document import parse

ZERO = "00000000-0000-0000-0000-000000000000"
# The name space that Azure documents for guid().
ARM_GUIDS = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
HOST = LocalHost(Scope(resource_group="rg"), datetime(2019, 3, 5, 17, 53, 18, 123456, tzinfo=UTC))
COMPUTE = f"/subscriptions/{ZERO}/resourceGroups/rg/providers/Microsoft.Compute"
ONE_TWO_THREE = "createArray('one','two','three')"
OBJECT = """json('{"one": "a", "two": {"x": 1}}')"""


def deployed(template: dict[str, Any]) -> Deployment:
    tree, problems = parse(json.dumps({"$schema": "deploymentTemplate.json", **template}).encode())
    assert tree is not None
    assert problems == ()
    return evaluate(tree, host=HOST, given={}, for_build=True)


def outcome(expression: str, **template: Any) -> tuple[Any, list[tuple[str, str]]]:
    deployment = deployed({"outputs": {"o": {"type": "string", "value": f"[{expression}]"}}, **template})
    output = deployment.outputs.get("o")
    value = output["value"] if isinstance(output, dict) else None
    return value, [(problem.code, problem.message) for problem in deployment.problems]


VALUES = [
    ("array('a')", ["a"]),
    ("array(createArray(1))", [1]),
    ("concat('a', 1, true())", "a1True"),
    ("concat(createArray(1), createArray(2))", [1, 2]),
    ("concat('it''s')", "it's"),
    ("contains('abc', 'b')", True),
    ("contains('abc', 'B')", False),
    ("contains(createArray(1, 2), 2)", True),
    ("contains(createArray('1'), 1)", False),
    (f"contains({OBJECT}, 'ONE')", True),
    ("createArray()", []),
    ("createObject('a', 1, 'b', createArray(2))", {"a": 1, "b": [2]}),
    ("empty(createArray())", True),
    ("empty('')", True),
    ("empty(null())", True),
    ("empty(createObject())", True),
    ("empty(' ')", False),
    (f"first({ONE_TWO_THREE})", "one"),
    ("first('One')", "O"),
    ("first('')", ""),
    ("first(createArray())", None),
    (f"last({ONE_TWO_THREE})", "three"),
    ("last('One')", "e"),
    ("flatten(createArray(createArray(1,2),createArray(3)))", [1, 2, 3]),
    ("indexOf('tESt', 'es')", 1),
    ("indexOf('abc', 'z')", -1),
    (f"indexOf({ONE_TWO_THREE}, 'two')", 1),
    (f"indexOf({ONE_TWO_THREE}, 'TWO')", -1),
    ("lastIndexOf('test', 't')", 3),
    ("lastIndexOf(createArray(1,2,1), 1)", 2),
    (f"intersection({ONE_TWO_THREE}, createArray('two','three','four'))", ["two", "three"]),
    ("intersection(createObject('a',1,'b',2), createObject('a',1,'b',3))", {"a": 1}),
    (f"union({ONE_TWO_THREE}, createArray('three','four'))", ["one", "two", "three", "four"]),
    (
        "union(createObject('a',createObject('x',1),'b',1), createObject('a',createObject('y',2),'b',2))",
        {"a": {"x": 1, "y": 2}, "b": 2},
    ),
    (f"length({ONE_TWO_THREE})", 3),
    ("length('abcd')", 4),
    (f"length({OBJECT})", 2),
    ("max(createArray(0,3,2))", 3),
    ("min(5, -1, 2)", -1),
    ("range(5, 3)", [5, 6, 7]),
    ("range(0, 0)", []),
    (f"skip({ONE_TWO_THREE}, 2)", ["three"]),
    ("skip('one two', 4)", "two"),
    ("skip('a', 9)", ""),
    ("skip('a', -9)", "a"),
    (f"take({ONE_TWO_THREE}, 2)", ["one", "two"]),
    ("take('abc', -1)", ""),
    ("items(createObject('b', 2, 'a', 1))", [{"key": "a", "value": 1}, {"key": "b", "value": 2}]),
    ("objectKeys(createObject('b', 2, 'A', 1))", ["A", "b"]),
    (
        "shallowMerge(createArray(createObject('a',createObject('x',1)),createObject('a',createObject())))",
        {"a": {}},
    ),
    (f"{OBJECT}.TWO.x", 1),
    (f"{OBJECT}['two']['X']", 1),
    (f"{ONE_TWO_THREE}[1]", "two"),
    ("""json('[1, 1.5, null, true, "a"]')""", [1, 1.5, None, True, "a"]),
    ("json('{''one'': ''a b''}').one", "a b"),
    ("null()", None),
    ("base64('one, two, three')", "b25lLCB0d28sIHRocmVl"),
    ("base64ToString('b25lLCB0d28sIHRocmVl')", "one, two, three"),
    ("base64ToJson(base64('{''one'': ''a''}'))", {"one": "a"}),
    ("dataUri('Hello')", "data:text/plain;charset=utf8;base64,SGVsbG8="),
    ("dataUriToString(dataUri('Hallo Welt'))", "Hallo Welt"),
    ("dataUriToString('data:,a%20b')", "a b"),
    ("endsWith('abcdef', 'EF')", True),
    ("startsWith('abcdef', 'Ab')", True),
    ("startsWith('abcdef', 'e')", False),
    (
        "format('{0}, {1}. Formatted number: {2:N0}', 'Hello', 'User', 8175133)",
        "Hello, User. Formatted number: 8,175,133",
    ),
    (
        "format('{0:D4}|{1:X2}|{2:x}|{3:F1}|{0,5}|{0,-5}|{{}}', 7, 10, 255, 3)",
        "0007|0A|ff|3.0|    7|7    |{}",
    ),
    ("format('{0:000}|{1:#,##0}|{0:0.00}|{0:P0}', 5, 1234567)", "005|1,234,567|5.00|500 %"),
    ("format('{0}{1}{2}', true(), null(), createArray(1))", "True[1]"),
    ("format('{0:yyyy}', '2019')", "2019"),
    ("guid('a', 'b')", str(uuid.uuid5(ARM_GUIDS, "a-b"))),
    ("join(createArray('a', 1), ', ')", "a, 1"),
    ("padLeft('123', 10, '0')", "0000000123"),
    ("padLeft(7, 3)", "  7"),
    ("padLeft('abcd', 2)", "abcd"),
    ("replace('123-123-1234', '-', '')", "1231231234"),
    ("replace('aAa', 'a', 'b')", "bAb"),
    ("split('one,two', ',')", ["one", "two"]),
    ("split('one;two,three', createArray(',', ';'))", ["one", "two", "three"]),
    ("string(createObject('a', createArray(1, 'b')))", '{"a":[1,"b"]}'),
    ("string(12)", "12"),
    ("string(true())", "True"),
    ("substring('one two three', 4, 3)", "two"),
    ("substring('abc', 1)", "bc"),
    ("substring('abc', 3)", ""),
    ("toLower('One')", "one"),
    ("toUpper('One')", "ONE"),
    ("trim('  a b ')", "a b"),
    ("uri('http://contoso.org/firstpath', 'myscript.sh')", "http://contoso.org/myscript.sh"),
    ("uri('http://contoso.org/firstpath/', 'myscript.sh')", "http://contoso.org/firstpath/myscript.sh"),
    ("uri('http://contoso.org/firstpath/', '/myscript.sh')", "http://contoso.org/firstpath/myscript.sh"),
    (
        "uri('http://contoso.org/firstpath/azuredeploy.json', 'a/b.sh')",
        "http://contoso.org/firstpath/a/b.sh",
    ),
    ("uri('http://contoso.org', 'a')", "http://contoso.org/a"),
    ("uriComponent('http://c.org/a b')", "http%3A%2F%2Fc.org%2Fa%20b"),
    ("uriComponentToString('a%20b')", "a b"),
    ("add(5, 3)", 8),
    ("sub(3, 5)", -2),
    ("mul(-5, 3)", -15),
    ("div(8, 3)", 2),
    ("div(-8, 3)", -2),
    ("mod(7, 3)", 1),
    ("mod(-7, 3)", -1),
    ("int('-4')", -4),
    ("and(true(), not(false()))", True),
    ("or(false(), false(), true())", True),
    ("and(false(), fail('not evaluated'))", False),
    ("or(true(), fail('not evaluated'))", True),
    ("if(true(), 'yes', fail('not evaluated'))", "yes"),
    ("coalesce(null(), 1, fail('not evaluated'))", 1),
    ("coalesce(null(), null())", None),
    ("equals('a', 'A')", False),
    ("equals(1, '1')", False),
    ("equals(1, true())", False),
    ("equals(createObject('a', 1, 'b', 2), createObject('b', 2, 'a', 1))", True),
    ("equals(createArray(true()), createArray(1))", False),
    ("less(1, 2)", True),
    ("lessOrEquals('a', 'a')", True),
    ("greater('b', 'a')", True),
    ("greaterOrEquals(1, 2)", False),
    ("bool('TRUE')", True),
    ("bool(0)", False),
    (f"tryGet({OBJECT}, 'two', 'x')", 1),
    (f"tryGet({OBJECT}, 'three', 'x')", None),
    ("tryGet(createArray(1), 5)", None),
    ("dateTimeAdd('2020-04-07 14:53:14Z', 'P3Y')", "2023-04-07 14:53:14Z"),
    ("dateTimeAdd('20200407T145314Z', '-P9D')", "20200329T145314Z"),
    ("dateTimeAdd('2020-04-07T14:53:14Z', 'PT1H30M', 'yyyy/M/d h:mm tt')", "2020/4/7 4:23 PM"),
    ("dateTimeToEpoch('2023-01-01T00:00:00Z')", 1672531200),
    ("dateTimeFromEpoch(1672531200)", "2023-01-01T00:00:00Z"),
    ("environment().suffixes.storage", "core.windows.net"),
    ("deployment().name", "deployment"),
    ("subscription().subscriptionId", ZERO),
    ("resourceGroup().name", "rg"),
    ("resourceGroup().location", "westus2"),
    ("tenant().tenantId", ZERO),
    ("resourceId('Microsoft.Compute/galleries/images', 'g', 'd')", f"{COMPUTE}/galleries/g/images/d"),
    ("resourceId('Microsoft.Compute/galleries/images', 'g/d')", f"{COMPUTE}/galleries/g/images/d"),
    (
        "resourceId('other', 'Microsoft.Compute/images', 'i')",
        f"{COMPUTE}/images/i".replace("/rg/", "/other/"),
    ),
    (
        "resourceId('11111111-1111-1111-1111-111111111111', 'o', 'Microsoft.Compute/images', 'i')",
        "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/o/providers/Microsoft.Compute/images/i",
    ),
    (
        "subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'x')",
        f"/subscriptions/{ZERO}/providers/Microsoft.Authorization/roleDefinitions/x",
    ),
    ("tenantResourceId('Microsoft.A/b', 'x')", "/providers/Microsoft.A/b/x"),
    (
        "managementGroupResourceId('m', 'Microsoft.A/b', 'x')",
        "/providers/Microsoft.Management/managementGroups/m/providers/Microsoft.A/b/x",
    ),
    ("extensionResourceId('/a/b', 'Microsoft.A/locks', 'x')", "/a/b/providers/Microsoft.A/locks/x"),
    ("map(range(0, 3), lambda('x', mul(lambdaVariables('x'), 2)))", [0, 2, 4]),
    ("filter(range(0, 5), lambda('x', greater(lambdaVariables('x'), 2)))", [3, 4]),
    ("reduce(range(1, 4), 0, lambda('a', 'b', add(lambdaVariables('a'), lambdaVariables('b'))))", 10),
    (
        "sort(createArray(3,1,2), lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b'))))",
        [1, 2, 3],
    ),
    ("toObject(createArray('a','b'), lambda('x', lambdaVariables('x')), lambda('x', 1))", {"a": 1, "b": 1}),
    (
        "groupBy(createArray('ax','b','ay'), lambda('x', first(lambdaVariables('x'))))",
        {"a": ["ax", "ay"], "b": ["b"]},
    ),
    ("mapValues(createObject('a', 1), lambda('x', add(lambdaVariables('x'), 1)))", {"a": 2}),
]


@pytest.mark.parametrize(("expression", "value"), VALUES, ids=[one for one, _ in VALUES])
def test_a_function_gives(expression: str, value: object) -> None:
    found, problems = outcome(expression)
    assert problems == []
    assert found == value
    assert type(found) is type(value)


def test_names_of_functions_are_read_in_any_casing() -> None:
    assert outcome("TOLOWER(Concat('A'))")[0] == "a"


# The first is of Azure's own library, the second of a provider of Terraform that follows it.
MACHINE = (
    "/subscriptions/31e9f9a0-9fd2-4294-a0a3-0101246d9700/resourceGroups/rg-modm201-20230913120256"
    "/providers/Microsoft.Compute/virtualMachines/bobjacmodm201"
)


@pytest.mark.parametrize(
    ("seed", "unique"),
    [
        (f"'{MACHINE}'", "yvjxno3je5on2"),
        (f"'/subscriptions/{ZERO}', 'resource-id'", "cwvxuqg24sifi"),
    ],
)
def test_unique_strings_are_those_of_azure(seed: str, unique: str) -> None:
    assert outcome(f"uniqueString({seed})")[0] == unique


FAULTS = [
    ("substring('abc', 2, 2)", "outside a text of 3"),
    ("substring('abc', -1, 1)", "outside a text"),
    ("createArray(1)[1]", "no item 1"),
    ("createObject('a', 1).b", "no property `b`"),
    ("createObject('a')", "in turn"),
    ("concat(createArray(1), 'a')", "not both"),
    ("add(1, '1')", "argument 2 is a text; it must be an integer"),
    ("add(1, true())", "argument 2 is a boolean"),
    ("add(1)", "takes 2 arguments, not 1"),
    ("toLower('a', 'b')", "takes 1 argument, not 2"),
    ("mul(9223372036854775807, 2)", "64 bits"),
    ("div(1, 0)", "divisor is 0"),
    ("mod(1, 0)", "divisor is 0"),
    ("int('1.5')", "no integer"),
    ("min(createArray())", "not empty"),
    ("min('a', 1)", "must be an integer or an array"),
    ("range(0, 10001)", "from 0 to 10000"),
    ("padLeft('a', 1000000000)", "limit"),
    ("padLeft('a', 3, 'ab')", "one character"),
    ("replace('a', '', 'b')", "empty"),
    ("base64ToString('!')", "not base64"),
    ("json('{')", "not JSON"),
    ("format('{1}', 1)", "{1} has no argument"),
    ("format('{', 1)", "single `{`"),
    ("format('{0:Q}', 1)", "no format of this number"),
    ("bool('maybe')", "neither true nor false"),
    ("if('true', 1, 2)", "takes booleans"),
    ("less(1, 'a')", "two integers or two texts"),
    ("dateTimeAdd('x', 'P1D')", "no time"),
    ("dateTimeAdd('2020-01-01', 'P')", "no duration"),
    ("dateTimeAdd('9999-12-31', 'P1Y')", "leave the calendar"),
    ("dateTimeFromEpoch(999999999999999)", "leaves the calendar"),
    ("resourceId('a', 'b')", "a type such as"),
    ("resourceId('Microsoft.Compute/galleries/images', 'g')", "takes 2 names, not 1"),
    ("copyIndex()", "no loop"),
    ("copyIndex('x')", "no loop `x`"),
    ("lambdaVariables('x')", "No lambda"),
    ("map(1, lambda('x', 1))", "takes an array"),
    ("map(createArray(1), 2)", "takes a lambda()"),
    ("filter(createArray(1), lambda(1))", "takes a lambda()"),
    ("lambda('x', 1)", "only in the functions"),
    ("utcNow()", "parameter's default"),
    ("newGuid()", "parameter's default"),
    ("fail('my words')", "my words"),
    ("concat('a').b", "has no properties"),
    ("intersection(createArray(), createObject())", "arrays only or objects only"),
    ("split('a', createArray(1))", "delimiter"),
    ("flatten(createArray(1))", "array of arrays"),
    ("dataUriToString('x')", "no data URI"),
]


@pytest.mark.parametrize(("expression", "said"), FAULTS, ids=[one for one, _ in FAULTS])
def test_what_a_function_does_not_take_is_said(expression: str, said: str) -> None:
    value, problems = outcome(expression)
    assert value is None
    assert [code for code, _ in problems] in ([Rule.ARM_EVALUATION.code], [Rule.ARM_LIMIT.code])
    assert said in problems[0][1]


def test_every_function_is_tested() -> None:
    called = " ".join([*(one for one, _ in VALUES), *(one for one, _ in FAULTS), "uniqueString("])
    elsewhere = {"parameters", "variables", "reference"}
    assert [name for name in FUNCTIONS if f"{name}(" not in called.lower() and name not in elsewhere] == []


def default(expression: str) -> Any:
    template = {
        "parameters": {"p": {"type": "string", "defaultValue": f"[{expression}]"}},
        "outputs": {"o": {"type": "string", "value": "[parameters('p')]"}},
    }
    output = deployed(template).outputs["o"]
    assert isinstance(output, dict)
    return output["value"]


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        ("", "20190305T175318Z"),
        ("'d'", "03/05/2019"),
        ("'M d'", "3 5"),
        ("'u'", "2019-03-05 17:53:18Z"),
        ("'o'", "2019-03-05T17:53:18.1234560Z"),
        ("'yyyy-MM-dd-HH-mm-ss'", "2019-03-05-17-53-18"),
        ("'ddd dd MMM yy hh:mm:ss.fff t'", "Tue 05 Mar 19 05:53:18.123 P"),
        ("'yyyyMMdd''T''HHmm'", "20190305T1753"),
    ],
)
def test_the_time_in_a_default(pattern: str, written: str) -> None:
    assert default(f"utcNow({pattern})") == written


def test_new_guids_in_defaults_differ() -> None:
    assert default("newGuid()") != default("newGuid()")


def test_the_documentation_lists_every_function() -> None:
    page = (ROOT / "docs" / "arm-templates.md").read_text()
    table = "".join(line for line in page.splitlines() if line.startswith("|"))
    assert [function.name for function in FUNCTIONS.values() if f"`{function.name}`" not in table] == []
    assert [name for name in NOT_EVALUATED if f"`{name}`" not in page] == []
