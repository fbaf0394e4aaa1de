"""What the kinds of distributors share: the image they are given, where they may put it, what they answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.artifacts.facts import ImageFacts
    from vmwright.artifacts.store import ArtifactStore
    from vmwright.events import Events
    from vmwright.images.library import ImageLibrary
    from vmwright.state.resources import Ledger

SOURCE_TAG = "VMImageBuilderSource"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedImage:
    """A generalized disk that is to be distributed.

    :param disk: the top of its qcow2 chain.
    :param source: what it was built from, as the service writes it into the tag VMImageBuilderSource.
    """

    disk: Path
    build_id: str
    facts: ImageFacts
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutput:
    """What a distributor made: an ``artifact_id`` (images) or an ``artifact_uri`` (VHDs), or its error."""

    name: str
    kind: str
    artifact_id: str | None = None
    artifact_uri: str | None = None
    error: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def artifact(self) -> str:
        """Whichever of both is there."""
        return self.artifact_id or self.artifact_uri or ""

    @property
    def file(self) -> Path | None:
        """The file of this host that ``artifact_uri`` names."""
        return Path(unquote(urlsplit(self.artifact_uri).path)) if self.artifact_uri else None

    def as_document(self) -> dict[str, object]:
        """Return the run output in the service's shape (reference §12), with the error that it leaves out."""
        made = {"artifactUri": self.artifact_uri} if self.artifact_uri else {"artifactId": self.artifact_id}
        state = (
            {"provisioningState": "Failed", "error": self.error}
            if self.error
            else {"provisioningState": "Succeeded"}
        )
        return {
            "name": self.name,
            "type": "Microsoft.VirtualMachineImages/imageTemplates/runOutputs",
            "tags": dict(self.tags),
            "properties": {**made, **state},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """Where distributors put what they make.

    :param files: the folder for disk files; ``users`` tells whether it is the user's own (``--out``).
    """

    store: ArtifactStore
    library: ImageLibrary
    files: Path
    users: bool
    ledger: Ledger
    events: Events
