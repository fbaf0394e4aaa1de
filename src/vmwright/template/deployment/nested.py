"""Deployments in a deployment: their template, in a scope of its own or in the one around it."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING

from vmwright.template.catalogue import Rule
from vmwright.template.deployment.faults import OpenValueError
from vmwright.template.deployment.parameters import Given
from vmwright.template.deployment.trees import Trees
from vmwright.template.deployment.values import text_of
from vmwright.template.document import Object, Scalar

if TYPE_CHECKING:
    from vmwright.template.deployment.host import Host
    from vmwright.template.deployment.resource import Item


def template_of(item: Item) -> Object | None:
    """Return the template of a nested deployment; a linked one is not fetched, which is said."""
    properties = item.node.get("properties")
    template = properties.get("template") if isinstance(properties, Object) else None
    if isinstance(template, Object):
        return template
    message = f"The deployment `{item.name}` has no template of its own; linked ones are not fetched."
    hint = "`az bicep build`, or the linked template as a file of its own"
    item.report.say(Rule.ARM_NOT_MADE.at(item.place, message, hint=hint))
    return None


def is_inner(item: Item) -> bool:
    """Tell whether the template is evaluated in a scope of its own; ARM's default is the outer one."""
    node = item.node.get("properties")
    for key in ("expressionEvaluationOptions", "scope"):
        node = node.get(key) if isinstance(node, Object) else None
    return isinstance(node, Scalar) and text_of(node.value).casefold() == "inner"


def host_of(item: Item, host: Host) -> Host:
    """Return the host for where a nested deployment goes: another group, another subscription."""
    scope = host.scope
    return host.at(
        dataclasses.replace(
            scope,
            resource_group=item.text("resourceGroup") or scope.resource_group,
            subscription_id=item.text("subscriptionId") or scope.subscription_id,
            deployment=item.name,
        )
    )


def given_of(item: Item) -> dict[str, Given]:
    """Return the values that a nested deployment gives to its template's parameters."""
    properties = item.node.get("properties")
    node = properties.get("parameters") if isinstance(properties, Object) else None
    found = {}
    for member in node.members if isinstance(node, Object) else ():
        value = member.value.get("value") if isinstance(member.value, Object) else None
        origin = f"given by the deployment `{item.name}`"
        given = Given(None, origin, is_open=True)
        if value is not None:
            with contextlib.suppress(OpenValueError):
                given = Given(Trees(item.on_fault).value(value, item.site), origin)
        found[member.key.casefold()] = given
    return found
