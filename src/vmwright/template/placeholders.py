"""Fills the placeholders of the public samples: ``<subscriptionID>``, ``<rgName>``, ``<imgBuilderId>`` ...

Values come from ``--set``; a few names have a local default. Scripts keep their angle brackets
(``cat <a >b``): in commands only names that were given are filled.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from vmwright.template.catalogue import Rule
from vmwright.template.document import Array, Member, Node, Object, Scalar
from vmwright.template.problems import Place, Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PLACEHOLDER = re.compile(r"<([A-Za-z][A-Za-z0-9_. -]{0,63})>")
COMMANDS = frozenset({"inline", "restartcommand", "restartcheckcommand", "searchcriteria", "filters"})
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
GROUP = "vmwright"
GROUP_NAMES = ("rgname", "resourcegroup", "resourcegroupname", "destinationresourcegroupname", "vnetrgname")
REGIONS: Mapping[str, str] = MappingProxyType(
    {"region": "westus2", "location": "westus2", "region1": "westus2", "region2": "eastus"}
)
IMAGE_NAMES = ("imagename", "imagedefname", "imagedefinitionname", "imagegalleryname", "runoutputname")
GALLERY_NAMES = ("sharedimagegalname", "sharedimagegalleryname", "galleryname")
IDENTITY_NAMES = ("imgbuilderid", "identityid")
NO_NAMES: Mapping[str, str] = MappingProxyType({})
IDENTITY = (
    "/subscriptions/{subscription}/resourceGroups/{group}"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/vmwright"
)


@dataclass(frozen=True, slots=True)
class Filled:
    """A tree with its placeholders filled; ``open_paths`` are the texts that still hold one.

    ``names`` are the placeholders that were met: in lower case -> as they are written.
    """

    tree: Object
    problems: tuple[Problem, ...]
    open_paths: frozenset[str]
    names: Mapping[str, str] = field(default_factory=dict)


def fill(document: Object, values: Mapping[str, str], *, name: str, for_build: bool) -> Filled:
    """Fill the placeholders of a document, in texts and in keys.

    Names match in any casing. ``name`` is the template's, from which image and run output names derive.
    A placeholder that stays without value is a note, or an error ``for_build``.
    """
    filled = fill_part(document, values, name=name, for_build=for_build)
    return dataclasses.replace(filled, problems=(*filled.problems, *unknown_names(values, filled.names)))


def fill_part(document: Object, values: Mapping[str, str], *, name: str, for_build: bool) -> Filled:
    """Fill a part of a file as ``fill`` does; what ``values`` name may then stand in another part."""
    filler = _Filler(
        given={key.strip("<> ").casefold(): value for key, value in values.items()},
        defaults=_defaults(values, name),
    )
    tree = filler.object(document, in_command=False)
    problems = tuple(filler.problems(for_build=for_build))
    return Filled(tree, problems, frozenset(filler.open_paths), filler.seen)


def _defaults(values: Mapping[str, str], name: str) -> dict[str, str]:
    given = {key.strip("<> ").casefold(): value for key, value in values.items()}
    plain_name = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-_.")[:64] or "template"
    identity = IDENTITY.format(
        subscription=given.get("subscriptionid", SUBSCRIPTION), group=given.get("rgname", GROUP)
    )
    return {
        "subscriptionid": SUBSCRIPTION,
        "subscription": SUBSCRIPTION,
        **dict.fromkeys(GROUP_NAMES, GROUP),
        **REGIONS,
        **dict.fromkeys(IMAGE_NAMES, plain_name),
        **dict.fromkeys(GALLERY_NAMES, GROUP),
        **dict.fromkeys(IDENTITY_NAMES, identity),
    }


@dataclass(slots=True)
class _Filler:
    given: dict[str, str]
    defaults: dict[str, str]
    open_paths: set[str] = field(default_factory=set)
    seen: dict[str, str] = field(default_factory=dict)
    defaulted: dict[str, tuple[str, Place]] = field(default_factory=dict)
    missing: dict[str, tuple[str, Place]] = field(default_factory=dict)

    def object(self, node: Object, *, in_command: bool) -> Object:
        members = []
        for member in node.members:
            key = self.text(member.key, member.place, in_command=in_command)
            command = in_command or member.key.casefold() in COMMANDS
            members.append(Member(key, member.place, self.node(member.value, in_command=command)))
        return Object(node.place, tuple(members))

    def node(self, node: Node, *, in_command: bool) -> Node:
        match node:
            case Object():
                return self.object(node, in_command=in_command)
            case Array():
                return Array(node.place, tuple(self.node(item, in_command=in_command) for item in node.items))
            case Scalar(value=str() as text):
                return Scalar(node.place, self.text(text, node.place, in_command=in_command))
            case Scalar():
                return node

    def text(self, text: str, place: Place, *, in_command: bool) -> str:
        return PLACEHOLDER.sub(self._replacement(place, in_command=in_command), text)

    def _replacement(self, place: Place, *, in_command: bool) -> Callable[[re.Match[str]], str]:
        def replace(found: re.Match[str]) -> str:
            name = found[1].strip().casefold()
            if name in self.given:
                self.seen.setdefault(name, found[1])
                return self.given[name]
            if in_command:
                return found[0]
            self.seen.setdefault(name, found[1])
            if name in self.defaults:
                self.defaulted.setdefault(name, (found[1], place))
                return self.defaults[name]
            self.missing.setdefault(name, (found[1], place))
            self.open_paths.add(place.path)
            return found[0]

        return replace

    def problems(self, *, for_build: bool) -> list[Problem]:
        found = []
        for key, (name, place) in self.defaulted.items():
            message = f"<{name}> is filled with `{self.defaults[key]}`."
            found.append(Rule.PLACEHOLDER_DEFAULT.at(place, message, hint=_set(name)))
        severity = Severity.ERROR if for_build else Severity.NOTE
        for name, place in self.missing.values():
            message = f"The placeholder <{name}> has no value."
            found.append(Rule.PLACEHOLDER_OPEN.at(place, message, hint=_set(name), severity=severity))
        return found


def _set(name: str) -> str:
    argument = f"{name}=VALUE"
    return f"--set '{argument}'" if " " in name else f"--set {argument}"


def unknown_names(
    values: Mapping[str, str], names: Mapping[str, str], *, others: Mapping[str, str] = NO_NAMES
) -> list[Problem]:
    """Give a problem for each name of ``--set`` that is neither a placeholder nor one of ``others``."""
    known = {key: f"<{name}>" for key, name in names.items()} | dict(others)
    found = []
    for name in values:
        folded = name.strip("<> ").casefold()
        if folded in known:
            continue
        near = difflib.get_close_matches(folded, known, n=1)
        if near:
            hint = f"did you mean `{known[near[0]].strip('<>')}`?"
        elif known:
            hint = f"it has {', '.join(known.values())}"
        else:
            hint = "it has no placeholders"
        message = f"--set {name}: the template has no placeholder <{name}>."
        if others:
            message = f"--set {name}: the template has no parameter or placeholder of this name."
        found.append(Rule.PLACEHOLDER_UNKNOWN.at(None, message, hint=hint))
    return found
