"""Resource ids: what they name, and how they are compared (without regard to case)."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from vmwright.arm.http.errors import ArmError

PROVIDERS = "providers"
PATTERN = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)"
    r"(?:/resourceGroups/(?P<group>[^/]+))?"
    r"(?:/providers/(?P<namespace>[^/]+)(?P<below>(?:/[^/]+/[^/]+)+))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ResourceId:
    """The id of a subscription, a resource group or a resource, as the client wrote it.

    :param namespace: such as Microsoft.Compute; "" for groups and subscriptions.
    :param types: the parts of the type below the namespace, from the outside in; ``names`` likewise.
    """

    subscription: str
    group: str = ""
    namespace: str = ""
    types: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"/subscriptions/{self.subscription}" if self.subscription else ""
        if self.group:
            text += f"/resourceGroups/{self.group}"
        if self.namespace:
            pairs = zip(self.types, self.names, strict=True)
            text += f"/{PROVIDERS}/{self.namespace}/{'/'.join(itertools.chain(*pairs))}"
        return text

    @property
    def key(self) -> str:
        """What the id is compared by."""
        return str(self).lower()

    @property
    def type(self) -> str:
        """The type, such as Microsoft.Compute/galleries/images."""
        return "/".join((self.namespace, *self.types))

    @property
    def name(self) -> str:
        """The name of what the id names, the last one."""
        return self.names[-1] if self.names else self.group or self.subscription

    @property
    def parent(self) -> ResourceId:
        """The resource, group or subscription around it."""
        if len(self.names) > 1:
            return ResourceId(self.subscription, self.group, self.namespace, self.types[:-1], self.names[:-1])
        if self.names:
            return ResourceId(self.subscription, self.group)
        return ResourceId(self.subscription)

    def below(self, kind: str, name: str) -> ResourceId:
        """Return the id of a resource in this one."""
        return ResourceId(
            self.subscription, self.group, self.namespace, (*self.types, kind), (*self.names, name)
        )


def parse(text: str) -> ResourceId:
    """Return what an id names.

    :raises ArmError: it is none.
    """
    found = PATTERN.fullmatch(text.rstrip("/"))
    if found is None:
        raise ArmError(400, "LinkedInvalidPropertyId", f"'{text}' is not a valid resource id.", target=text)
    below = (found["below"] or "").split("/")[1:]
    return ResourceId(
        found["subscription"],
        found["group"] or "",
        found["namespace"] or "",
        tuple(below[0::2]),
        tuple(below[1::2]),
    )
