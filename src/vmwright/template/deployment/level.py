"""The resources of one template: loops and children expanded, names and ids known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmwright.template.catalogue import Rule
from vmwright.template.deployment.faults import FaultError, OpenValueError
from vmwright.template.deployment.functions.resources import Known, type_path
from vmwright.template.deployment.nested import given_of, host_of, is_inner, template_of
from vmwright.template.deployment.outputs import Outputs, outputs_of
from vmwright.template.deployment.resource import Item
from vmwright.template.deployment.scope import TemplateScope
from vmwright.template.deployment.site import Site
from vmwright.template.deployment.trees import MAX_COPIES, Trees
from vmwright.template.deployment.values import text_of, value_of
from vmwright.template.document import Array, Node, Object, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.template.deployment.host import Host
    from vmwright.template.deployment.report import Report
    from vmwright.template.deployment.values import Value

PROVIDERS = "/providers/"
MAX_LEVELS = 5
# One of a loop, as Bicep writes it.
INDEXED = re.compile(r"(\w+)\[([0-9]{1,3})\]", re.ASCII)


class Level:
    """A template's resources, which ``reference()`` and ``dependsOn`` look for here."""

    def __init__(
        self,
        tree: Object,
        scope: TemplateScope,
        report: Report,
        *,
        host: Host,
        outside: Level | None = None,
        within: str = "",
    ) -> None:
        """Give a template a level.

        :param within: the id of the nested deployment whose template it is.
        """
        self.within = within
        self.tree = tree
        self.scope = scope
        self.report = report
        self.items: list[Item] = []
        self._host = host
        self._outside = outside
        # Those whose evaluation is under way, over all levels: what they refer to, they need.
        self.waiting: list[Item] = outside.waiting if outside else []
        self.depth: int = outside.depth + 1 if outside else 1
        self._inner: dict[Item, Level | None] = {}
        self._outputs: Outputs | None = None

    def read(self) -> None:
        """Read the resources: what they are called; nested templates are read when they are needed."""
        node = self.tree.get("resources")
        if node is None:
            return
        if not isinstance(node, Object | Array):
            message = "`resources` is neither a list nor an object."
            self.report.say(Rule.ARM_STRUCTURE.at(node.place, message, hint="[ ... ]"))
            return
        try:
            for symbol, child in _children(node):
                self._expand(child, Site(self.scope), symbol, parent=None)
        except FaultError as fault:
            self.report.fault(node.place, fault)

    def _expand(self, node: Node, site: Site, symbol: str | None, parent: Item | None) -> None:
        if not isinstance(node, Object):
            self.report.say(Rule.ARM_STRUCTURE.at(node.place, "A resource is an object.", hint="{ ... }"))
            return
        loop = node.get("copy")
        if not isinstance(loop, Object):
            self._add(node, site, symbol, parent, loop=None)
            return
        name_node = loop.get("name")
        name = text_of(name_node.value) if isinstance(name_node, Scalar) else "copy"
        for index in range(Trees(self.report.fault).count(loop, site)):
            self._add(node, site.looped(name, index), symbol, parent, loop=name)

    def _add(
        self, node: Object, site: Site, symbol: str | None, parent: Item | None, *, loop: str | None
    ) -> None:
        if len(self.items) >= MAX_COPIES:
            message = f"A template deploys {MAX_COPIES} resources at most."
            raise FaultError(message, rule=Rule.ARM_LIMIT)
        item = Item(node, site, "", "", "", self.report, symbol=symbol, loop=loop)
        self._name(item, parent)
        item.deployed = self._is_deployed(item) and (parent is None or parent.deployed)
        self.items.append(item)
        children = node.get("resources")
        if isinstance(children, Object | Array):
            for below, child in _children(children):
                self._expand(child, site, below, item)

    def _name(self, item: Item, parent: Item | None) -> None:
        for key in ("type", "name", "apiVersion"):
            if item.node.get(key) is None:
                message = f"The resource has no `{key}`."
                self.report.say(Rule.ARM_STRUCTURE.at(item.place, message, hint=f'add "{key}": "..."'))
        kind, name = item.text("type") or "", item.text("name")
        # A name without a value still tells one resource from another.
        name = name if name is not None else _written(item.node.get("name"))
        if parent is not None and not kind.casefold().startswith("microsoft."):
            kind, name = f"{parent.kind}/{kind}", f"{parent.name}/{name}"
        item.kind, item.name = kind, name
        try:
            item.id = self._base(item) + type_path("resource", kind, (name,))
        except FaultError as fault:
            item.id = f"{self._base(item)}{PROVIDERS}{kind}/{name}"
            if kind and not name.startswith("["):
                message = fault.message.removeprefix("resource(): ")
                self.report.say(Rule.ARM_STRUCTURE.at(item.place, message, hint="a/b for a child of a"))

    def _base(self, item: Item) -> str:
        host = self._host.scope
        if scope := item.text("scope"):
            is_whole = scope.startswith("/")
            return scope.rstrip("/") if is_whole else f"{host.group_id}{PROVIDERS}{scope.strip('/')}"
        if item.is_nested and item.text("resourceGroup"):
            return host_of(item, self._host).scope.group_id
        schema = self.tree.get("$schema")
        text = text_of(schema.value).casefold() if isinstance(schema, Scalar) else ""
        if "subscriptiondeploymenttemplate" in text:
            return f"/subscriptions/{host.subscription_id}"
        return "" if "tenantdeploymenttemplate" in text else host.group_id

    def _is_deployed(self, item: Item) -> bool:
        existing = item.node.get("existing")
        if isinstance(existing, Scalar) and existing.value is True:
            return False
        node = item.node.get("condition")
        if node is None:
            return True
        try:
            value = Trees(self.report.fault).value(node, item.site)
        except OpenValueError:
            return True
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        if not isinstance(value, bool):
            self.report.fault(node.place, FaultError("A `condition` is true or false."))
        return value is not False

    def find(self, name: str) -> list[Item]:
        """Return the items that a name means: a symbol (``a``, ``a[0]``), an id, a loop, or a name."""
        if found := [item for item in self.items if item.symbol == name]:
            return found
        if indexed := INDEXED.fullmatch(name):
            copies = [item for item in self.items if item.symbol == indexed[1]]
            return copies[int(indexed[2]) :][:1]
        folded = name.strip("/").casefold()
        sought = _provided(folded)
        if found := [item for item in self.items if _provided(item.id.casefold()) == sought]:
            return found
        if found := [item for item in self.items if (item.loop or "").casefold() == folded]:
            return found
        if found := [item for item in self.items if item.name.casefold() == folded]:
            return found
        # 'Microsoft.Compute/galleries/g' is the type and the name in one.
        return [item for item in self.items if f"{item.kind}/{item.name}".casefold() == folded]

    def reference(self, site: Site, name: str, *, version: str, full: bool) -> Value:
        """Return what is known of a resource: as it stands in the template, or as the host knows it."""
        found = next(iter(self.find(name)), None)
        if found is None and self._outside is not None:
            return self._outside.reference(site, name, version=version, full=full)
        if found is None or not found.deployed:
            return self._host.reference(found.id if found else name, version=version, full=full)
        if self.waiting and found not in self.waiting[-1].after:
            self.waiting[-1].after.append(found)
        if found.is_nested:
            return Known(f"reference('{name}')", {"outputs": self._outputs_of(found)})
        made = self._host.made(found.id, full=full)
        if made is not None:
            return made
        body = value_of(self.evaluated(found))
        if found.open_paths:
            raise OpenValueError
        values = body if isinstance(body, dict) else {}
        properties = next((one for key, one in values.items() if key.casefold() == "properties"), {})
        known = values if full else properties
        return Known(f"reference('{name}')", known if isinstance(known, dict) else {})

    def _outputs_of(self, item: Item) -> Value:
        inner = self.inner(item)
        outputs = inner.outputs() if inner else Outputs()
        if self._host.is_partial:
            return outputs.values
        return Known(f"outputs of {item.name}", outputs.values, open_keys=outputs.open_names)

    def evaluated(self, item: Item) -> Object:
        """Return a resource's body; what it refers to becomes what it needs."""
        self.waiting.append(item)
        try:
            return item.body()
        finally:
            self.waiting.pop()

    def depend(self) -> None:
        """Find what each ``dependsOn`` names."""
        for item in self.items:
            for name, place in item.dependencies():
                found = self.find(name)
                if not found:
                    message = f"`dependsOn` names `{name[:200]}`, which is not in this template."
                    hint = "a resource that is there already is left out of dependsOn"
                    self.report.say(Rule.ARM_DEPENDS_ON.at(place, message, hint=hint))
                item.after += [one for one in found if one is not item and one not in item.after]
                if item in found and len(found) == 1:
                    message = f"The resource `{item.name}` depends on itself."
                    self.report.say(Rule.ARM_CYCLE.at(place, message))

    def outputs(self) -> Outputs:
        """Return the outputs."""
        if self._outputs is None:
            self._outputs = outputs_of(self.tree, Site(self.scope), self.report)
        return self._outputs

    def inner(self, item: Item) -> Level | None:
        """Return the level of a nested deployment; None where it has no template here.

        :raises FaultError: it needs itself, or is nested too deeply.
        """
        if item in self._inner:
            return self._inner[item]
        if item in self.waiting:
            raise FaultError(f"The deployment `{item.name}` needs itself.", rule=Rule.ARM_CYCLE)
        if self.depth >= MAX_LEVELS:
            raise FaultError(f"Deployments are nested more than {MAX_LEVELS} deep.", rule=Rule.ARM_LIMIT)
        self.waiting.append(item)
        try:
            self._inner[item] = self._nested(item)
        finally:
            self.waiting.pop()
        return self._inner[item]

    def _nested(self, item: Item) -> Level | None:
        template = template_of(item)
        if template is None:
            return None
        host = host_of(item, self._host)
        if not is_inner(item):
            level = Level(template, self.scope, self.report, host=host, outside=self, within=item.id)
            level.read()
            return level
        given = given_of(item)
        scope = TemplateScope(template, host=host, budget=self.scope.budget, given=given, report=self.report)
        level = Level(template, scope, self.report, host=host, outside=self, within=item.id)
        scope.referenced = level.reference
        scope.evaluate_all()
        level.read()
        return level


def _children(node: Object | Array) -> Iterator[tuple[str | None, Node]]:
    if isinstance(node, Object):
        for member in node.members:
            yield member.key, member.value
    else:
        for item in node.items:
            yield None, item


def _written(node: Node | None) -> str:
    return text_of(node.value) if isinstance(node, Scalar) else ""


def _provided(identity: str) -> str:
    """Return the end of an id, from its provider on: scopes differ where ids are written out."""
    _, found, rest = identity.rpartition(PROVIDERS)
    return rest if found else identity
