"""Evaluates whole trees: every text, every key, and the loops (``copy``) of properties and variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vmwright.template.catalogue import Rule
from vmwright.template.deployment.faults import FaultError, OpenValueError
from vmwright.template.deployment.syntax import is_expression, unescaped
from vmwright.template.deployment.values import kind_of, node_of, text_of, value_of
from vmwright.template.document import Array, Member, Node, Object, Scalar, below
from vmwright.template.problems import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmwright.template.deployment.site import Site
    from vmwright.template.deployment.values import Value

MAX_COPIES = 800


@dataclass(slots=True)
class Trees:
    """Evaluates trees; ``on_fault`` hears of what cannot be evaluated.

    Such a text stays as it is, and its path is one of ``open_paths``: nothing is to be said of its value.
    """

    on_fault: Callable[[Place, FaultError], None]
    open_paths: set[str] = field(default_factory=set)

    def node(self, node: Node, site: Site) -> Node:
        """Return a tree with its expressions replaced by their values, which keep the place."""
        try:
            inner = site.deeper()
            site.scope.budget.step()
        except FaultError as fault:
            return self._left(node, fault)
        match node:
            case Object():
                return self._object(node, inner)
            case Array():
                return Array(node.place, tuple(self.node(item, inner) for item in node.items))
            case Scalar(value=str() as text):
                return self._text(node, text, inner)
            case Scalar():
                return node

    def value(self, node: Node, site: Site) -> Value:
        """Return the value of a tree.

        :raises OpenValueError: a part of it has none.
        """
        trees = Trees(self.on_fault)
        evaluated = trees.node(node, site)
        if trees.open_paths:
            raise OpenValueError
        return value_of(evaluated)

    def _left(self, node: Node, fault: FaultError | None) -> Node:
        if fault is not None:
            self.on_fault(node.place, fault)
        self.open_paths.add(node.place.path)
        return node

    def _text(self, node: Scalar, text: str, site: Site) -> Node:
        if not is_expression(text):
            return Scalar(node.place, unescaped(text))
        try:
            value = site.text(text)
            site.scope.budget.spend(value)
        except OpenValueError:
            return self._left(node, None)
        except FaultError as fault:
            return self._left(node, fault)
        return node_of(value, node.place)

    def _object(self, node: Object, site: Site) -> Object:
        members: list[Member] = []
        for member in node.members:
            if loops := _loops(member):
                members += [made for loop in loops if (made := self._loop(loop, node.place.path, site))]
            else:
                members.append(self._member(member, site))
        return Object(node.place, tuple(members))

    def _member(self, member: Member, site: Site) -> Member:
        key = self._text(Scalar(member.place, member.key), member.key, site)
        value = self.node(member.value, site)
        if isinstance(key, Scalar) and isinstance(key.value, str):
            return Member(key.value, member.place, value)
        self.on_fault(member.place, FaultError(f"A key is a text, not {kind_of(value_of(key))}."))
        return Member(member.key, member.place, value)

    def _loop(self, loop: Object, above: str, site: Site) -> Member | None:
        """Return the array that a loop makes, its items at the paths that they have then."""
        name_node, template = loop.get("name"), loop.get("input")
        if not isinstance(name_node, Scalar) or template is None:
            return None
        name = text_of(name_node.value)
        items = []
        path = below(above, name)
        for index in range(self.count(loop, site)):
            trees = Trees(self.on_fault)
            item = trees.node(template, site.looped(name, index))
            was, now = template.place.path, f"{path}[{index}]"
            items.append(_moved(item, len(was), now))
            self.open_paths |= {
                now + one[len(was) :] if one.startswith(was) else one for one in trees.open_paths
            }
        place = Place(path, loop.place.line, loop.place.column)
        return Member(name, place, Array(place, tuple(items)))

    def count(self, loop: Object, site: Site) -> int:
        """Return how often a loop goes around; 1 where its count has no value."""
        node = loop.get("count") or Scalar(loop.place, None)
        try:
            count = self.value(node, site)
        except OpenValueError:
            return 1
        if isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MAX_COPIES:
            return count
        shown = count if isinstance(count, int) else kind_of(count)
        message = f"The `count` of a loop is {shown}; it must be an integer from 0 to {MAX_COPIES}."
        self.on_fault(node.place, FaultError(message, rule=Rule.ARM_LIMIT))
        return 0


def _loops(member: Member) -> tuple[Object, ...]:
    """Return the loops of a key ``copy``; nothing where it is an ordinary key of that name."""
    if member.key.lower() != "copy" or not isinstance(member.value, Array):
        return ()
    loops = tuple(item for item in member.value.items if isinstance(item, Object))
    complete = all(loop.get("name") and loop.get("count") and loop.get("input") for loop in loops)
    return loops if complete and len(loops) == len(member.value.items) else ()


def _moved(node: Node, cut: int, path: str) -> Node:
    """Return a tree whose paths begin with ``path`` instead of their first ``cut`` characters."""

    def place(of: Place) -> Place:
        return Place(path + of.path[cut:], of.line, of.column)

    match node:
        case Object():
            members = (
                Member(one.key, place(one.place), _moved(one.value, cut, path)) for one in node.members
            )
            return Object(place(node.place), tuple(members))
        case Array():
            return Array(place(node.place), tuple(_moved(item, cut, path) for item in node.items))
        case Scalar():
            return Scalar(place(node.place), node.value)
