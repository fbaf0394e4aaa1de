"""What ARM itself refuses before a provider sees a request: api-versions, subscriptions (reference §5.2)."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from vmwright.arm.http.errors import ArmError
from vmwright.arm.namespaces import namespaces

if TYPE_CHECKING:
    from collections.abc import Sequence

# The first parts of ARM's paths; those of tokens, of the Graph and of the service's own have no api-versions.
ARMS = frozenset({"subscriptions", "tenants", "providers"})
API_VERSION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(-[A-Za-z0-9.]{1,20})?")


class Rules:
    """ARM's rules for the paths of one subscription."""

    def __init__(self, subscription: str) -> None:
        self._subscription = subscription

    def check(self, parts: Sequence[str], api_version: str) -> None:
        """Check a request; paths that are not ARM's pass.

        :param parts: those of its path.
        :param api_version: "" where it has none.
        :raises ArmError: it has no api-version or none that could be one, the type in its path has no such
            api-version, or it is for another subscription.
        """
        if not parts or parts[0].lower() not in ARMS:
            return
        _check_form(api_version)
        if parts[0].lower() == "subscriptions" and len(parts) > 1:
            self._check_subscription(parts[1])
        _check_type(parts, api_version)

    def _check_subscription(self, given: str) -> None:
        if given.lower() == self._subscription.lower():
            return
        try:
            uuid.UUID(given)
        except ValueError:
            raise ArmError(
                400,
                "InvalidSubscriptionId",
                f"The provided subscription identifier '{given}' is malformed or invalid.",
                is_gateways=True,
            ) from None
        raise ArmError(
            404, "SubscriptionNotFound", f"The subscription '{given}' could not be found.", is_gateways=True
        )


def _check_form(api_version: str) -> None:
    if not api_version:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
            is_gateways=True,
        )
    if not API_VERSION.fullmatch(api_version):
        raise ArmError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{api_version}' is invalid: api-versions are dates, such as 2024-11-01, "
            "some with -preview behind it.",
            is_gateways=True,
        )


def _check_type(parts: Sequence[str], api_version: str) -> None:
    lower = [part.lower() for part in parts]
    if "providers" not in lower:
        return
    # the last one counts: roles are assigned to resources of other providers
    at = len(lower) - lower[::-1].index("providers")
    namespace = namespaces().get("".join(lower[at : at + 1]))
    if namespace is None or not namespace.is_complete:
        return
    kind = namespace.find(parts[at + 1 :: 2])
    if kind is not None and api_version.lower() not in kind.versions:
        raise ArmError(
            404,
            "InvalidResourceType",
            f"The resource type could not be found in the namespace '{namespace.name}' "
            f"for api version '{api_version}'.",
            is_gateways=True,
        )
