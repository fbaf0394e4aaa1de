"""One resource of a template, expanded from loops: what it is called, what it waits for, what is in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vmwright.template.catalogue import Rule
from vmwright.template.deployment.faults import FaultError, OpenValueError
from vmwright.template.deployment.trees import Trees
from vmwright.template.document import Array, Member, Node, Object, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.template.deployment.report import Report
    from vmwright.template.deployment.site import Site
    from vmwright.template.problems import Place

NESTED = "microsoft.resources/deployments"
IMAGE_TEMPLATES = "microsoft.virtualmachineimages/imagetemplates"
GALLERIES = ("microsoft.compute/galleries", "microsoft.compute/galleries/images")
# What says how a resource is deployed; the rest is its body.
AROUND = frozenset(
    {"condition", "copy", "dependson", "resources", "comments", "metadata", "existing", "asserts"}
)


@dataclass(eq=False, slots=True)
class Item:
    """A resource while the template is evaluated.

    ``kind`` is its type and ``name`` its whole name (``gallery/definition``); ``after`` are the items that it
    needs.
    """

    node: Object
    site: Site
    kind: str
    name: str
    id: str
    report: Report
    symbol: str | None = None
    loop: str | None = None
    deployed: bool = True
    after: list[Item] = field(default_factory=list)
    open_paths: frozenset[str] = frozenset()
    _body: Object | None = None
    _under_way: bool = False

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.node.place

    @property
    def is_nested(self) -> bool:
        """Whether it is a deployment in the deployment."""
        return self.kind.casefold() == NESTED

    @property
    def is_lenient(self) -> bool:
        """Whether values that only Azure knows are left open without a word: it is not made here anyway."""
        is_made = self.kind.casefold() in {IMAGE_TEMPLATES, *GALLERIES}
        return self.site.scope.host.is_partial and not is_made

    def body(self) -> Object:
        """Return it evaluated, with its whole type and name; what is not evaluated is in ``open_paths``.

        :raises FaultError: it needs itself.
        """
        if self._body is not None:
            return self._body
        if self._under_way:
            raise FaultError(f"The resource `{self.name}` needs itself.", rule=Rule.ARM_CYCLE)
        self._under_way = True
        trees = Trees(self.on_fault)
        kept = tuple(self._kept())
        evaluated = trees.node(Object(self.node.place, kept), self.site)
        self._under_way = False
        self.open_paths = frozenset(trees.open_paths)
        members = evaluated.members if isinstance(evaluated, Object) else ()
        self._body = Object(self.node.place, tuple(self._named(member) for member in members))
        return self._body

    def on_fault(self, place: Place, fault: FaultError) -> None:
        """Say what stopped an evaluation, unless it is of no account here."""
        if not (self.is_lenient and fault.is_unsupported):
            self.report.fault(place, fault)

    def _kept(self) -> Iterator[Member]:
        for member in self.node.members:
            if member.key.casefold() in AROUND:
                continue
            if self.is_nested and member.key.casefold() == "properties" and isinstance(member.value, Object):
                inside = tuple(one for one in member.value.members if one.key.casefold() == "mode")
                yield Member(member.key, member.place, Object(member.value.place, inside))
            else:
                yield member

    def _named(self, member: Member) -> Member:
        whole = {"type": self.kind, "name": self.name}.get(member.key.casefold())
        if whole is None or member.value.place.path in self.open_paths:
            return member
        return Member(member.key, member.place, Scalar(member.value.place, whole))

    def dependencies(self) -> Iterator[tuple[str, Place]]:
        """Give what ``dependsOn`` names, as far as it has a value."""
        node = self.node.get("dependsOn")
        if node is None:
            return
        evaluated = Trees(self.report.fault).node(node, self.site)
        items: tuple[Node, ...] = evaluated.items if isinstance(evaluated, Array) else (evaluated,)
        for item in items:
            if isinstance(item, Scalar) and isinstance(item.value, str):
                if not item.value.startswith("["):
                    yield item.value, item.place
            else:
                message = "`dependsOn` is a list of names and ids of resources."
                self.report.say(Rule.ARM_STRUCTURE.at(item.place, message))

    def text(self, key: str) -> str | None:
        """Return a member that is a text; None where it is none, or has no value."""
        node = self.node.get(key)
        if node is None:
            return None
        try:
            value = Trees(self.report.fault).value(node, self.site)
        except OpenValueError:
            return None
        return value if isinstance(value, str) else None
