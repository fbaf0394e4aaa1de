"""A deployment template, evaluated: its resources in the order in which they are made."""

from __future__ import annotations

import graphlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vmwright.template.catalogue import Rule
from vmwright.template.deployment.faults import FaultError
from vmwright.template.deployment.level import Level
from vmwright.template.deployment.report import Report
from vmwright.template.deployment.scope import TemplateScope
from vmwright.template.deployment.values import Budget
from vmwright.template.document import Object, Scalar, plain_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vmwright.template.deployment.host import Host
    from vmwright.template.deployment.outputs import Outputs
    from vmwright.template.deployment.parameters import Given
    from vmwright.template.deployment.resource import Item
    from vmwright.template.deployment.values import Value
    from vmwright.template.problems import Place, Problem


@dataclass(frozen=True, slots=True)
class Resource:
    """An evaluated resource.

    ``type`` and ``name`` are whole (``Microsoft.Compute/galleries/images``, ``gallery/definition``).
    ``needs`` are the ids, in lower case, of all resources that are made before it, ``after`` those that it
    names itself. ``within`` is the id of the nested deployment that it is in, "" for none. ``tree`` is its
    body with places, of which ``open_paths`` have no value.
    """

    id: str
    type: str
    name: str
    api_version: str | None
    place: Place
    tree: Object
    open_paths: frozenset[str]
    needs: frozenset[str]
    after: frozenset[str] = frozenset()
    within: str = ""

    @property
    def body(self) -> dict[str, Any]:
        """The body as plain data."""
        return plain_object(self.tree)


@dataclass(frozen=True, slots=True)
class Nested:
    """A deployment in the deployment: a resource without a body, its template, and what that gives back."""

    resource: Resource
    template: Object
    outputs: Outputs


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a template deploys, in order, what it gives back, and what is to be said of it.

    ``skipped`` are resources whose condition is false; ``nested`` deployments come after those in them;
    ``parameters`` are the names of those that are declared, ``values`` their ``{type, value}``, without the
    value where it is secret or there is none; ``open_outputs`` have no value; ``used`` are the functions
    whose answers have local defaults; ``secrets`` must not be shown.
    """

    resources: tuple[Resource, ...]
    skipped: tuple[Resource, ...]
    nested: tuple[Nested, ...]
    outputs: Mapping[str, Value]
    open_outputs: frozenset[str]
    values: Mapping[str, Mapping[str, Value]]
    parameters: tuple[str, ...]
    used: tuple[str, ...]
    problems: tuple[Problem, ...]
    secrets: tuple[str, ...]


def evaluate(tree: Object, *, host: Host, given: Mapping[str, Given], for_build: bool) -> Deployment:
    """Evaluate a deployment template.

    :param given: values of parameters, by names in lower case
    :param for_build: what has no value is an error rather than a note
    """
    report = Report(for_build)
    scope = TemplateScope(tree, host=host, budget=Budget(), given=given, report=report)
    level = Level(tree, scope, report, host=host)
    scope.referenced = level.reference
    scope.evaluate_all()
    level.read()
    items = list(_all_items(level))
    for item, its_level in items:
        _evaluate(item, its_level)
    outputs = level.outputs()
    ordered = _in_order([item for item, _ in items], report)
    _check_once(ordered, report)
    made = [item for item in ordered if not item.is_nested]
    needs = _needs(ordered)
    levels = dict(items)
    return Deployment(
        resources=tuple(_resource(item, levels, needs[item]) for item in made if item.deployed),
        skipped=tuple(_resource(item, levels) for item in made if not item.deployed),
        nested=tuple(
            Nested(_resource(item, levels, needs[item]), inner.tree, inner.outputs())
            for item in ordered
            if item.is_nested and item.deployed and (inner := _inner(item, levels[item]))
        ),
        outputs=outputs.values,
        open_outputs=frozenset(outputs.open_names),
        values={one.name: scope.shown(one) for one in scope.parameters.values()},
        parameters=tuple(one.name for one in scope.parameters.values()),
        used=tuple(report.used),
        problems=tuple(report.problems),
        secrets=tuple(report.secrets),
    )


def _all_items(level: Level) -> Iterator[tuple[Item, Level]]:
    """Give the items of a level and of the nested ones; a nested deployment comes after what is in it."""
    level.depend()
    for item in level.items:
        inner = _inner(item, level) if item.is_nested and item.deployed else None
        if inner is not None:
            for one, its_level in _all_items(inner):
                one.after += item.after
                yield one, its_level
            item.after += inner.items
        yield item, level


def _inner(item: Item, level: Level) -> Level | None:
    try:
        return level.inner(item)
    except FaultError as fault:
        level.report.fault(item.place, fault)
        return None


def _evaluate(item: Item, level: Level) -> None:
    try:
        level.evaluated(item)
    except FaultError as fault:
        level.report.fault(item.place, fault)


def _in_order(items: list[Item], report: Report) -> list[Item]:
    """Return the items, each after those that it needs, otherwise as in the file."""
    position = {item: index for index, item in enumerate(items)}
    sorter = graphlib.TopologicalSorter({item: item.after for item in items})
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        circle: list[Item] = error.args[1]
        names = " needs ".join(f"`{item.name}`" for item in reversed(circle))
        message = f"Resources need each other: {names}."
        report.say(Rule.ARM_CYCLE.at(circle[0].place, message, hint="take one out of `dependsOn`"))
        return items
    ordered = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=lambda item: position.get(item, len(items)))
        ordered += ready
        sorter.done(*ready)
    return ordered


def _check_once(items: list[Item], report: Report) -> None:
    seen: dict[str, Item] = {}
    for item in items:
        if not item.deployed or item.name.startswith("["):
            continue
        first = seen.setdefault(item.id.casefold(), item)
        if first is not item:
            message = f"The resource `{item.name}` ({item.kind}) is here twice."
            hint = "give each one a name of its own, in loops with copyIndex()"
            report.say(Rule.ARM_RESOURCE_TWICE.at(item.place, message, hint=hint))


def _needs(ordered: list[Item]) -> dict[Item, frozenset[str]]:
    """Return the ids of all that an item needs, directly or not."""
    found: dict[Item, frozenset[str]] = {}
    for item in ordered:
        direct = {one.id.casefold() for one in item.after}
        found[item] = frozenset(direct.union(*(found.get(one, frozenset()) for one in item.after)))
    return found


def _resource(item: Item, levels: Mapping[Item, Level], needs: frozenset[str] = frozenset()) -> Resource:
    tree = item.body()
    version = tree.get("apiVersion")
    return Resource(
        id=item.id,
        type=item.kind,
        name=item.name,
        api_version=version.value if isinstance(version, Scalar) and isinstance(version.value, str) else None,
        place=item.place,
        tree=tree,
        open_paths=item.open_paths,
        needs=needs,
        after=frozenset(one.id.casefold() for one in item.after),
        within=levels[item].within,
    )
