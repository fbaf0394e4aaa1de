"""What the expressions of one template see: its parameters, variables, functions; each evaluated once."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from vmwright.nearest import nearest
from vmwright.template.catalogue import Rule
from vmwright.template.deployment.faults import FaultError, OpenValueError
from vmwright.template.deployment.parameters import Given, Parameter, declared
from vmwright.template.deployment.site import Site
from vmwright.template.deployment.trees import Trees
from vmwright.template.deployment.values import Value, text_of, value_of
from vmwright.template.document import Array, Member, Node, Object, Scalar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from vmwright.template.deployment.host import Host
    from vmwright.template.deployment.report import Report
    from vmwright.template.deployment.values import Budget
    from vmwright.template.problems import Place


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    node: Node
    is_loop: bool = False


class _State(Enum):
    """Why a name has no value."""

    OPEN = "open"
    UNDER_WAY = "under way"


class Referenced(Protocol):
    """Answers ``reference()``."""

    def __call__(self, site: Site, name: str, *, version: str, full: bool) -> Value:
        """Return what is known of a resource by its name or id."""


class TemplateScope:
    """The scope of a template, or of a nested one that is evaluated in a scope of its own."""

    def __init__(
        self, tree: Object, *, host: Host, budget: Budget, given: Mapping[str, Given], report: Report
    ) -> None:
        self.host = host
        self.budget = budget
        self.report = report
        self.parameters = declared(tree, report)
        # How a reference is answered comes with the resources, which are read after this.
        self.referenced: Referenced = _Asked()
        self._given = given
        self._variables = _variables(tree)
        self._functions = _functions(tree)
        self._values: dict[tuple[str, str], Value | _State] = {}

    def evaluate_all(self) -> None:
        """Evaluate every parameter and variable, so that each one's problems are said once, at its place."""
        top = Site(self)
        for parameter in self.parameters.values():
            with contextlib.suppress(OpenValueError, FaultError):
                self.parameter(top, parameter.name)
        for variable in self._variables.values():
            with contextlib.suppress(OpenValueError, FaultError):
                self.variable(top, variable.name)

    def used(self, function: str) -> None:
        """Note that a function answered which has a local default."""
        self.report.used.setdefault(function)

    def parameter(self, site: Site, name: str) -> Value:
        """Return a parameter's value, for an expression at ``site``."""
        found = self.parameters.get(name.casefold())
        if found is None:
            raise _unknown("parameter", name, (one.name for one in self.parameters.values()))
        return self._once("parameter", found.name, lambda: self._parameter_value(found, self._below(site)))

    def shown(self, parameter: Parameter) -> dict[str, Value]:
        """Return ``{type, value}`` of a parameter, without a value that is secret or not there."""
        kind = f"secure{parameter.kind}" if parameter.secure else parameter.kind
        if not parameter.secure:
            with contextlib.suppress(OpenValueError, FaultError):
                return {"type": kind, "value": self.parameter(Site(self), parameter.name)}
        return {"type": kind}

    def variable(self, site: Site, name: str) -> Value:
        """Return a variable's value, for an expression at ``site``."""
        found = self._variables.get(name.casefold())
        if found is None:
            raise _unknown("variable", name, (one.name for one in self._variables.values()))
        return self._once("variable", found.name, lambda: self._variable_value(found, self._below(site)))

    def _below(self, site: Site) -> Site:
        return Site(self, depth=site.deeper().depth)

    def reference(self, site: Site, name: str, *, version: str, full: bool) -> Value:
        """Return what is known of a resource, for an expression at ``site``."""
        return self.referenced(site, name, version=version, full=full)

    def own_function(self, site: Site, namespace: str, name: str, arguments: list[Value]) -> Value:
        """Call a function that the template defines."""
        found = self._functions.get(f"{namespace}.{name}".casefold())
        if found is None:
            known = ", ".join(f"{one}()" for one in self._functions)
            hint = f"it defines {known}" if known else "the template defines no functions"
            raise FaultError(
                f"There is no function {namespace}.{name}().", rule=Rule.ARM_FUNCTION_UNKNOWN, hint=hint
            )
        names = _names(found)
        if len(names) != len(arguments):
            raise FaultError(f"{namespace}.{name}() takes {len(names)} arguments, not {len(arguments)}.")
        output = found.get("output")
        node = output.get("value") if isinstance(output, Object) else None
        if node is None:
            raise FaultError(f"{namespace}.{name}() has no `output` with a `value`.", rule=Rule.ARM_STRUCTURE)
        values = dict(zip(names, arguments, strict=True))
        inner = dataclasses.replace(site.deeper(), arguments=values, names={}, copies={}, innermost=None)
        return Trees(self.report.fault).value(node, inner)

    def _variable_value(self, variable: _Variable, site: Site) -> Value:
        value = Trees(self.report.fault).value(variable.node, site)
        if not variable.is_loop:
            return value
        if not isinstance(value, dict) or variable.name not in value:
            message = f"The loop `{variable.name[:80]}` has no `count` or no `input`."
            self.report.fault(variable.node.place, FaultError(message, rule=Rule.ARM_STRUCTURE))
            raise OpenValueError
        return value[variable.name]

    def _once(self, kind: str, name: str, evaluate: Callable[[], Value]) -> Value:
        key = (kind, name.casefold())
        match self._values.get(key):
            case _State.OPEN:
                raise OpenValueError
            case _State.UNDER_WAY:
                raise FaultError(f"The {kind} `{name}` needs itself.", rule=Rule.ARM_CYCLE)
            case None if key not in self._values:
                pass
            case value:
                return value
        self._values[key] = _State.UNDER_WAY
        state: Value | _State = _State.OPEN
        try:
            state = evaluate()
        finally:
            self._values[key] = state
        return state

    def _parameter_value(self, parameter: Parameter, site: Site) -> Value:
        given = self._given.get(parameter.name.casefold())
        if given is None and parameter.default is None:
            if parameter.nullable:
                return None
            raise self._no_value(parameter, "")
        value = self._taken(parameter, given) if given else self._default(parameter, site)
        if parameter.secure:
            self.report.keep_secret(value)
        return value

    def _taken(self, parameter: Parameter, given: Given) -> Value:
        if given.is_open:
            raise OpenValueError
        try:
            return parameter.taken(given)
        except FaultError as fault:
            message = f"{fault.message.removesuffix('.')} ({given.origin})."
            self.report.say(fault.rule.at(parameter.place, message, hint=fault.hint))
            raise OpenValueError from None

    def _default(self, parameter: Parameter, site: Site) -> Value:
        reasons: list[str] = []

        def on_fault(place: Place, fault: FaultError) -> None:
            if fault.is_unsupported:
                reasons.append(fault.message)
            else:
                self.report.fault(place, fault)

        node = parameter.default or Scalar(parameter.place, None)
        try:
            value = Trees(on_fault).value(node, dataclasses.replace(site, in_default=True))
        except OpenValueError:
            raise self._no_value(parameter, reasons[0]) if reasons else OpenValueError from None
        return self._taken(parameter, Given(value, "its defaultValue"))

    def _no_value(self, parameter: Parameter, reason: str) -> OpenValueError:
        message = f"The parameter `{parameter.name}` has no value{f': {reason}' if reason else '.'}"
        ways = (f"--set {parameter.name}=VALUE", "--parameters FILE")
        # a secret does not belong on a command line, which others can read
        hint = ways[1] if parameter.secure else ", or ".join(ways)
        self.report.missing(Rule.PARAMETER_OPEN, parameter.place, message, hint=hint)
        return OpenValueError()


def _unknown(kind: str, name: str, known: Iterable[str]) -> FaultError:
    meant = nearest(name, known)
    hint = f"did you mean `{meant}`?" if meant else f"declare it in `{kind}s`"
    return FaultError(f"There is no {kind} `{name[:80]}`.", rule=Rule.ARM_NAME_UNKNOWN, hint=hint)


class _Asked:
    """A template whose resources are not read yet: the host is asked."""

    def __call__(self, site: Site, name: str, *, version: str, full: bool) -> Value:
        return site.scope.host.reference(name, version=version, full=full)


def _variables(tree: Object) -> dict[str, _Variable]:
    node = tree.get("variables")
    found: dict[str, _Variable] = {}
    for member in node.members if isinstance(node, Object) else ():
        if member.key.lower() != "copy" or not isinstance(member.value, Array):
            found[member.key.casefold()] = _Variable(member.key, member.value)
            continue
        for loop in member.value.items:
            name = loop.get("name") if isinstance(loop, Object) else None
            if isinstance(name, Scalar):
                # Evaluated as an object with nothing but this loop, in which its array stands then.
                alone = Member(member.key, member.place, Array(member.value.place, (loop,)))
                holder = Object(member.place, (alone,))
                found[text_of(name.value).casefold()] = _Variable(text_of(name.value), holder, is_loop=True)
    return found


def _functions(tree: Object) -> dict[str, Object]:
    node = tree.get("functions")
    found: dict[str, Object] = {}
    for space in node.items if isinstance(node, Array) else ():
        name, members = (
            (space.get("namespace"), space.get("members")) if isinstance(space, Object) else (None, None)
        )
        if not isinstance(name, Scalar) or not isinstance(members, Object):
            continue
        for member in members.members:
            if isinstance(member.value, Object):
                found[f"{text_of(name.value)}.{member.key}".casefold()] = member.value
    return found


def _names(function: Object) -> list[str]:
    node = function.get("parameters")
    values = value_of(node) if node is not None else []
    items = values if isinstance(values, list) else []
    return [text_of(item.get("name")).casefold() for item in items if isinstance(item, dict)]
