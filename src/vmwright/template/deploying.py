"""An ARM deployment template -> a reading of each image template in it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from vmwright.nearest import nearest
from vmwright.template.catalogue import Rule
from vmwright.template.deployment import LocalHost, evaluate, read_given, scope_of
from vmwright.template.deployment.hiding import hidden, hide
from vmwright.template.deployment.host import GROUP_NAMES, LOCATION_NAMES, SCOPE_NAMES, SUBSCRIPTION_NAMES
from vmwright.template.deployment.parameters import names_of
from vmwright.template.deployment.resource import GALLERIES, IMAGE_TEMPLATES
from vmwright.template.document import Array, Member, Node, Object, Scalar
from vmwright.template.placeholders import fill_part, unknown_names
from vmwright.template.readings import Readings
from vmwright.template.whole import Reading, read_filled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from vmwright.template.deployment import Deployment, Resource, Scope
    from vmwright.template.parameter_file import ParameterFile
    from vmwright.template.problems import Problem

# The top level of a template, as ARM's schemas have it.
SECTIONS = (
    *("$schema", "contentVersion", "apiProfile", "languageVersion", "metadata", "definitions", "functions"),
    *("parameters", "variables", "resources", "outputs", "extensions", "imports", "asserts"),
)
# Of an image template in a deployment these say nothing that is not right there.
NOT_HERE = frozenset({Rule.VERSION_IN_BODY.code, Rule.ARM_PLAIN.code})


def read_deployment(
    tree: Object,
    *,
    values: Mapping[str, str],
    files: Sequence[ParameterFile],
    api_version: str | None,
    name: str,
    for_build: bool,
) -> Readings:
    """Evaluate a deployment template; read and check its image templates in the order of their building."""
    declared = names_of(tree)
    given, problems = read_given(files, values, declared, for_build=for_build)
    scope = scope_of(values, name=name)
    deployment = evaluate(tree, host=LocalHost(scope), given=given, for_build=for_build)
    problems += [*deployment.problems, *_unknown_sections(tree), *_about(deployment, tree)]
    problems += _defaults(deployment, scope, values)
    names: dict[str, str] = {}
    readings = []
    resources = []
    for resource in deployment.resources:
        kind = resource.type.casefold()
        if kind not in {IMAGE_TEMPLATES, *GALLERIES}:
            resources.append(resource)
            continue
        own_name = name if resource.name.startswith("[") else resource.name.rpartition("/")[2]
        filled = fill_part(_without_nulls(resource.tree), values, name=own_name, for_build=for_build)
        names |= filled.names
        if kind == IMAGE_TEMPLATES:
            open_paths = filled.open_paths | resource.open_paths
            filled = dataclasses.replace(filled, open_paths=open_paths)
            reading = read_filled(filled, (), api_version=api_version, name=own_name, for_build=for_build)
            readings.append(_fitted(reading, resource, deployment.secrets))
        else:
            problems += filled.problems
            resources.append(dataclasses.replace(resource, tree=filled.tree))
    others = {one.casefold(): one for one in declared}
    asked = {one: value for one, value in values.items() if one.strip("<> ").casefold() not in SCOPE_NAMES}
    problems += unknown_names(asked, names, others=others)
    problems += [problem for reading in readings for problem in reading.problems]
    shown = (_redacted(problem, deployment.secrets) for problem in _once(problems))
    ordered = tuple(sorted(shown, key=lambda one: (one.line, one.column)))
    return Readings(tuple(readings), ordered, tuple(resources), deployment.secrets)


def _without_nulls(tree: Object) -> Object:
    """Return a tree without keys that are null: templates leave keys out by giving them null()."""

    def kept(node: Node) -> Node:
        match node:
            case Object():
                return _without_nulls(node)
            case Array():
                return Array(node.place, tuple(kept(item) for item in node.items))
            case Scalar():
                return node

    present = (one for one in tree.members if not (isinstance(one.value, Scalar) and one.value.value is None))
    return Object(tree.place, tuple(Member(one.key, one.place, kept(one.value)) for one in present))


def _fitted(reading: Reading, resource: Resource, secrets: tuple[str, ...]) -> Reading:
    """Return a reading without what is not to be said of a resource in a deployment."""
    above = f"'ImageTemplate.{resource.place.path}"
    problems = tuple(
        _redacted(
            dataclasses.replace(one, azure_message=one.azure_message.replace(above, "'ImageTemplate")),
            secrets,
        )
        for one in reading.problems
        if one.code not in NOT_HERE
        and (one.path not in resource.open_paths or not one.code.startswith("value/"))
    )
    errors = [one for one in problems if one.is_error and not one.is_unsupported]
    template = None if errors else reading.template
    if template is not None and secrets:
        shown = {hide(key, secrets): hidden(held, secrets) for key, held in template.document.items()}
        template = dataclasses.replace(template, document=shown)
    return Reading(template, problems, id=resource.id, needs=resource.needs)


def _redacted(problem: Problem, secrets: tuple[str, ...]) -> Problem:
    if not secrets:
        return problem
    return dataclasses.replace(
        problem,
        message=hide(problem.message, secrets),
        hint=hide(problem.hint, secrets),
        path=hide(problem.path, secrets),
        azure_message=hide(problem.azure_message, secrets),
    )


def _once(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Give each problem once: placeholders at their first place only, loops for one copy."""
    seen: set[tuple[object, ...]] = set()
    for one in problems:
        place = () if one.code == Rule.PLACEHOLDER_DEFAULT.code else (one.path, one.line, one.column)
        key = (one.code, one.message, *place)
        if key not in seen:
            seen.add(key)
            yield one


def _unknown_sections(tree: Object) -> Iterator[Problem]:
    known = {section.casefold() for section in SECTIONS}
    for member in tree.members:
        if member.key.casefold() in known:
            continue
        meant = nearest(member.key, SECTIONS)
        hint = f"did you mean `{meant}`?" if meant else "leave it out"
        message = f"A deployment template has no field `{member.key}`; it is ignored."
        yield Rule.FIELD_UNKNOWN.at(member.place, message, hint=hint)


def _about(deployment: Deployment, tree: Object) -> Iterator[Problem]:
    """Say what is not made here, and which image templates are left out."""
    kinds: dict[str, list[Resource]] = {}
    for resource in deployment.resources:
        if resource.type.casefold() not in {IMAGE_TEMPLATES, *GALLERIES}:
            kinds.setdefault(resource.type.casefold(), []).append(resource)
    for resources in kinds.values():
        count = f"{len(resources)} resources" if len(resources) > 1 else f"`{resources[0].name}`"
        message = f"{resources[0].type or 'A resource without a type'} is not made here: {count}."
        yield Rule.ARM_NOT_MADE.at(resources[0].place, message)
    images = [one for one in deployment.skipped if one.type.casefold() == IMAGE_TEMPLATES]
    for one in images:
        message = f"The image template `{one.name}` is not deployed: its condition is false."
        yield Rule.ARM_CONDITION.at(one.place, message)
    has_any = any(one.type.casefold() == IMAGE_TEMPLATES for one in deployment.resources)
    if not has_any and not images:
        message = "The deployment has no image template."
        hint = 'a resource of "type": "Microsoft.VirtualMachineImages/imageTemplates"'
        yield Rule.ARM_NO_IMAGE.at((tree.get("resources") or tree).place, message, hint=hint)


def _defaults(deployment: Deployment, scope: Scope, values: Mapping[str, str]) -> Iterator[Problem]:
    """Say which local defaults ``resourceGroup()``, ``subscription()`` and ``resourceId()`` used."""
    given = {name.strip("<> ").casefold() for name in values}
    used = set(deployment.used)
    if used & {"resourceGroup", "resourceId"} and not given.intersection(GROUP_NAMES):
        message = f"The resource group is `{scope.resource_group}`."
        yield Rule.ARM_DEFAULT.at(None, message, hint="--set resourceGroup=VALUE")
    if "resourceGroup" in used and not given.intersection(LOCATION_NAMES):
        message = f"The resource group's location is `{scope.location}`."
        yield Rule.ARM_DEFAULT.at(None, message, hint="--set location=VALUE")
    if used & {"subscription", "resourceId"} and not given.intersection(SUBSCRIPTION_NAMES):
        message = f"The subscription is `{scope.subscription_id}`."
        yield Rule.ARM_DEFAULT.at(None, message, hint="--set subscriptionId=VALUE")
