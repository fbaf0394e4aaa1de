"""The namespaces of resource types, with the api-versions of each type: data, in ``namespaces.toml``."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE = Path(__file__).with_name("namespaces.toml")
STRICT = ConfigDict(frozen=True, extra="forbid")


class ResourceType(BaseModel):
    """A type below its namespace, such as imageTemplates/triggers; ``versions`` are newest first."""

    model_config = STRICT

    name: str
    versions: tuple[str, ...]


class Namespace(BaseModel):
    """A namespace; ``is_complete``: its types have no other api-versions than those that are listed."""

    model_config = STRICT

    name: str
    is_complete: bool = False
    types: tuple[ResourceType, ...] = Field(default=(), alias="type")

    def find(self, kinds: Sequence[str]) -> ResourceType | None:
        """Return the type of a path: the longest that its kinds begin with (the last may be an action)."""
        known = {kind.name.lower(): kind for kind in self.types}
        wanted = ("/".join(kinds[:length]).lower() for length in range(len(kinds), 0, -1))
        return next((known[name] for name in wanted if name in known), None)


class _File(BaseModel):
    model_config = STRICT

    namespace: tuple[Namespace, ...]


@functools.cache
def namespaces() -> Mapping[str, Namespace]:
    """Return all namespaces by their names in lower case, in the order of the table."""
    table = _File.model_validate(tomllib.loads(FILE.read_text()))
    return MappingProxyType({namespace.name.lower(): namespace for namespace in table.namespace})
