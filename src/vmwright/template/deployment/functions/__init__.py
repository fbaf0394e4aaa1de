"""The functions of ARM, by family; docs/arm-templates.md lists them all."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from vmwright.nearest import nearest
from vmwright.template.catalogue import Rule
from vmwright.template.deployment.faults import FaultError
from vmwright.template.deployment.functions import (
    arrays,
    formatting,
    hashing,
    integers,
    logic,
    resources,
    strings,
    times,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.template.deployment.functions.function import Function

FAMILIES = (arrays, formatting, hashing, integers, logic, resources, strings, times)
FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {function.name.lower(): function for family in FAMILIES for function in family.FUNCTIONS}
)
# Functions of ARM that are not evaluated here; of list..., only Azure knows the answers.
NOT_EVALUATED = (
    "cidrHost",
    "cidrSubnet",
    "deployer",
    "externalInput",
    "getSecret",
    "managementGroup",
    "parseCidr",
    "pickZones",
    "providers",
    "references",
    "toLogicalZone",
    "toLogicalZones",
    "toPhysicalZone",
    "toPhysicalZones",
)


def is_listing(name: str) -> bool:
    """Tell whether a function is one of ``listKeys``, ``listAccountSas`` ..."""
    return name.lower().startswith("list")


def find_function(name: str) -> Function:
    """Return a function by its name, in any casing.

    :raises FaultError: there is none, or it is not evaluated here.
    """
    if found := FUNCTIONS.get(name.lower()):
        return found
    if missing := next((one for one in NOT_EVALUATED if one.lower() == name.lower()), None):
        hint = "take the value from a parameter, and give it with --set or --parameters"
        message = f"This version does not evaluate {missing}()."
        raise FaultError(message, rule=Rule.ARM_FUNCTION_MISSING, hint=hint)
    meant = nearest(name, (function.name for function in FUNCTIONS.values()))
    hint = f"did you mean {meant}()?" if meant else "docs/arm-templates.md lists all functions"
    raise FaultError(f"There is no function {name}().", rule=Rule.ARM_FUNCTION_UNKNOWN, hint=hint)
