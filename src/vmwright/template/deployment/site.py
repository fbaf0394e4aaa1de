"""Evaluates expressions: a site is a scope (parameters, variables ...) and the loops and names around it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from vmwright.template.deployment.faults import FaultError, limit
from vmwright.template.deployment.functions import find_function, is_listing
from vmwright.template.deployment.functions.function import Style
from vmwright.template.deployment.functions.resources import Known
from vmwright.template.deployment.syntax import Access, Call, Literal, parse
from vmwright.template.deployment.values import Value, find_key, integer, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.template.deployment.host import Host
    from vmwright.template.deployment.syntax import Expression
    from vmwright.template.deployment.values import Budget

# Python's own limit is 1000 frames; a level of expressions or of trees takes up to five.
MAX_DEPTH = 110
NOTHING: Mapping[str, Value] = MappingProxyType({})
NO_COPIES: Mapping[str, int] = MappingProxyType({})


class Scope(Protocol):
    """What expressions of one template can see."""

    @property
    def host(self) -> Host:
        """Who deploys."""

    @property
    def budget(self) -> Budget:
        """What the file may still use."""

    def parameter(self, site: Site, name: str) -> Value:
        """Return a parameter's value."""

    def variable(self, site: Site, name: str) -> Value:
        """Return a variable's value."""

    def own_function(self, site: Site, namespace: str, name: str, arguments: list[Value]) -> Value:
        """Call a function that the template defines."""

    def reference(self, site: Site, name: str, *, version: str, full: bool) -> Value:
        """Return what is known of a resource by its name or id."""

    def used(self, function: str) -> None:
        """Note that a function answered which has a local default."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where an expression stands: its scope, the loops around it, the names that lambdas gave."""

    scope: Scope
    copies: Mapping[str, int] = field(default_factory=lambda: NO_COPIES)
    innermost: str | None = None
    names: Mapping[str, Value] = field(default_factory=lambda: NOTHING)
    arguments: Mapping[str, Value] | None = None
    in_default: bool = False
    depth: int = 0

    def text(self, text: str) -> Value:
        """Return the value of a text for which ``is_expression`` holds.

        :raises FaultError: it has none.
        :raises OpenValueError: it needs a value that is not there.
        """
        return self.value(parse(text))

    def value(self, expression: Expression) -> Value:
        """Return the value of an expression."""
        self.scope.budget.step()
        match expression:
            case Literal(value=value):
                return value
            case Access():
                return _accessed(self.deeper(), expression)
            case Call():
                return _called(self.deeper(), expression)

    def deeper(self) -> Site:
        """Return the site one level down.

        :raises FaultError: that is too deep.
        """
        if self.depth >= MAX_DEPTH:
            raise limit("Expressions, variables and values are nested too deeply together.")
        # Written out: dataclasses.replace takes three times as long, and this is called for every value.
        return Site(
            self.scope,
            self.copies,
            self.innermost,
            self.names,
            self.arguments,
            self.in_default,
            self.depth + 1,
        )

    def looped(self, name: str, index: int) -> Site:
        """Return the site inside a loop."""
        copies = MappingProxyType({**self.copies, name.casefold(): index})
        return dataclasses.replace(self, copies=copies, innermost=name.casefold())

    def named(self, names: Mapping[str, Value]) -> Site:
        """Return the site inside a lambda."""
        return dataclasses.replace(self, names=MappingProxyType({**self.names, **names}))

    def check_generated(self, function: str) -> None:
        """Allow what changes with every deployment in defaults of parameters only, as ARM does.

        :raises FaultError: this is another place.
        """
        if not self.in_default:
            hint = "make it the defaultValue of a parameter"
            raise FaultError(f"{function}() stands only in a parameter's default value.", hint=hint)

    def parameter(self, name: str) -> Value:
        """Return a parameter: of the function of one's own that is called, or of the template."""
        if self.arguments is None:
            return self.scope.parameter(self, name)
        if name.casefold() not in self.arguments:
            raise FaultError(f"The function has no parameter `{name}`.")
        return self.arguments[name.casefold()]

    def variable(self, name: str) -> Value:
        """Return a variable's value."""
        if self.arguments is not None:
            raise FaultError("A function of one's own sees no variables, only its parameters.")
        return self.scope.variable(self, name)

    def lambda_variable(self, name: str) -> Value:
        """Return what a lambda has named."""
        if name.casefold() not in self.names:
            raise FaultError(f"No lambda here names `{name}`.")
        return self.names[name.casefold()]

    def copy_index(self, name: str | None) -> int:
        """Return the index of a loop, from 0 on."""
        key = name.casefold() if name is not None else self.innermost
        if key is None or key not in self.copies:
            raise FaultError(f"copyIndex(): no loop{f' `{name}`' if name else ''} is around this.")
        return self.copies[key]


def _accessed(site: Site, access: Access) -> Value:
    target, key = site.value(access.target), site.value(access.key)
    if isinstance(target, dict) and isinstance(key, str):
        known = find_key(target, key)
        if known is not None:
            return target[known]
        if isinstance(target, Known):
            raise target.unknown(key)
        has = ", ".join(f"`{one}`" for one in list(target)[:8])
        raise FaultError(f"The object has no property `{key[:80]}`.", hint=f"it has {has}" if has else "")
    if isinstance(target, list) and isinstance(key, int) and not isinstance(key, bool):
        if 0 <= key < len(target):
            return target[key]
        raise FaultError(f"The array has {len(target)} items, but no item {key}; the first one is 0.")
    raise FaultError(f"{kind_of(target).capitalize()} has no properties or items by {kind_of(key)}.")


def _called(site: Site, call: Call) -> Value:
    if call.namespace:
        arguments = [site.value(one) for one in call.arguments]
        return site.scope.own_function(site, call.namespace, call.name, arguments)
    if is_listing(call.name):
        return site.scope.host.listing(call.name, [site.value(one) for one in call.arguments])
    function = find_function(call.name)
    function.check_count(len(call.arguments))
    if Style.EXPRESSIONS in function.style:
        result = function.body(site, *call.arguments)
    else:
        arguments = [site.value(one) for one in call.arguments]
        function.check_kinds(arguments)
        if function.makes:
            for argument in arguments:
                site.scope.budget.spend(argument)
        result = function.body(*((site, *arguments) if Style.SITE in function.style else arguments))
    if isinstance(result, int) and not isinstance(result, bool):
        return integer(result)
    if function.makes:
        site.scope.budget.spend(result)
    return result
