"""The outputs of a template; locally they matter to nested templates, whose outputs are referred to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.template.deployment.faults import FaultError, OpenValueError
from vmwright.template.deployment.trees import Trees
from vmwright.template.document import Member, Object, Scalar

if TYPE_CHECKING:
    from vmwright.template.deployment.report import Report
    from vmwright.template.deployment.site import Site
    from vmwright.template.deployment.values import Value
    from vmwright.template.problems import Place


def outputs_of(tree: Object, site: Site, report: Report) -> dict[str, Value]:
    """Return ``{name: {type, value}}``; what only Azure knows, or has no value, is left out."""
    node = tree.get("outputs")
    found: dict[str, Value] = {}
    for member in node.members if isinstance(node, Object) else ():
        value = _output(member, site, report)
        if value is not None:
            found[member.key] = value
    return found


def _output(member: Member, site: Site, report: Report) -> Value:
    def on_fault(place: Place, fault: FaultError) -> None:
        if not fault.is_unsupported:
            report.fault(place, fault)

    body = member.value
    if not isinstance(body, Object):
        return None
    trees = Trees(on_fault)
    kind, condition, loop = body.get("type"), body.get("condition"), body.get("copy")
    shown = kind.value if isinstance(kind, Scalar) else "string"
    try:
        if condition is not None and trees.value(condition, site) is False:
            return None
        node = loop.get("input") if isinstance(loop, Object) else body.get("value")
        if node is None:
            return None
        if isinstance(loop, Object):
            sites = (site.looped("copy", index) for index in range(trees.count(loop, site)))
            return {"type": shown, "value": [trees.value(node, one) for one in sites]}
        return {"type": shown, "value": trees.value(node, site)}
    except OpenValueError:
        return None
