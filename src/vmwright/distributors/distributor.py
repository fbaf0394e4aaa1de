"""What the kinds of distributors share: the image they are given, where they may put it, what they answer."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read at run time: a run output is kept as JSON
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from datetime import datetime

    from vmwright.distributors.draft import Draft
    from vmwright.distributors.made_before import MadeBefore
    from vmwright.distributors.stored import StoredImage
    from vmwright.events import Events
    from vmwright.images import GalleryLibrary, ImageLibrary, VersionLibrary
    from vmwright.state.database import Writing
    from vmwright.state.resources import Ledger

SOURCE_TAG = "VMImageBuilderSource"


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
        """Return the run output in the service's shape (reference §12), plus its tags and error."""
        properties = {"artifactId": self.artifact_id, "artifactUri": self.artifact_uri, "error": self.error}
        state = "Failed" if self.error else "Succeeded"
        return {
            "name": self.name,
            "type": "Microsoft.VirtualMachineImages/imageTemplates/runOutputs",
            "tags": dict(self.tags),
            "properties": {name: value for name, value in properties.items() if value}
            | {"provisioningState": state},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """Where distributors put what they make.

    :param stored: the image itself, as the one artifact that images and versions are made of.
    :param location: the template's region, ``api_version`` its contract.
    :param makes_galleries: whether a gallery or an image definition that is not there is made.
    :param writing: opens a transaction in which this attempt has the build; what others see of an image is
        written in one.
    :param sums_whole_files: whether files that are mostly holes get a SHA-256 of the whole, too.
    :param made_before: what is kept of the same disk, None where nothing is or shall be.
    :param draft: of the first raw disk or VHD, where there is to be one.
    :param started_at: when the build was asked for: the same in each attempt at it.
    :param files: the folder for disk files; ``users`` tells whether it is the user's own (``--out``).
    """

    stored: StoredImage
    library: ImageLibrary
    galleries: GalleryLibrary
    versions: VersionLibrary
    location: str
    api_version: str
    makes_galleries: bool
    files: Path
    users: bool
    sums_whole_files: bool
    made_before: MadeBefore | None
    draft: Draft | None
    started_at: datetime
    writing: Writing
    ledger: Ledger
    events: Events
