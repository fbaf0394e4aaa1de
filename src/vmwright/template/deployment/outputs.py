"""The outputs of a template."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vmwright.template.deployment.faults import FaultError, OpenValueError
from vmwright.template.deployment.trees import Trees
from vmwright.template.document import Member, Object, Scalar

if TYPE_CHECKING:
    from vmwright.template.deployment.report import Report
    from vmwright.template.deployment.site import Site
    from vmwright.template.deployment.values import Value
    from vmwright.template.problems import Place


@dataclass(frozen=True, slots=True)
class Outputs:
    """``{name: {type, value}}`` of those that have a value, and the names of those that have none yet."""

    values: dict[str, Value] = field(default_factory=dict)
    open_names: set[str] = field(default_factory=set)


def outputs_of(tree: Object, site: Site, report: Report) -> Outputs:
    """Return what a template gives back; what only Azure knows has no value."""
    node = tree.get("outputs")
    found = Outputs()
    for member in node.members if isinstance(node, Object) else ():
        try:
            value = _output(member, site, report)
        except OpenValueError:
            found.open_names.add(member.key)
            continue
        if value is not None:
            found.values[member.key] = value
    return found


def _output(member: Member, site: Site, report: Report) -> Value:
    def on_fault(place: Place, fault: FaultError) -> None:
        if not (fault.is_unsupported and site.scope.host.is_partial):
            report.fault(place, fault)

    body = member.value
    if not isinstance(body, Object):
        return None
    trees = Trees(on_fault)
    kind, condition, loop = body.get("type"), body.get("condition"), body.get("copy")
    shown = kind.value if isinstance(kind, Scalar) else "string"
    if condition is not None and trees.value(condition, site) is False:
        return None
    node = loop.get("input") if isinstance(loop, Object) else body.get("value")
    if node is None:
        return None
    if isinstance(loop, Object):
        sites = (site.looped("copy", index) for index in range(trees.count(loop, site)))
        return {"type": shown, "value": [trees.value(node, one) for one in sites]}
    return {"type": shown, "value": trees.value(node, site)}
