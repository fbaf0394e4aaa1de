"""The resource ids of images, galleries, image definitions and versions; compared without regard to case."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from vmwright.errors import VmwrightError

LATEST = "latest"
PATTERN = re.compile(
    "/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft.Compute/galleries/([^/]+)"
    "(?:/images/([^/]+)(?:/versions/([^/]+))?)?",
    re.IGNORECASE,
)
# Names become folders of the stores, so that they must be no way to another place.
NAME = re.compile(r"(?!\.+$)[\w().-]{1,90}")
FORM = (
    "/subscriptions/<id>/resourceGroups/<name>/providers/Microsoft.Compute/galleries/<name>"
    "/images/<name>[/versions/<number>]"
)


def key_of(resource_id: str) -> str:
    """Return what a resource id is compared by."""
    return f"/{resource_id.strip('/').lower()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryId:
    """The id of a gallery, of an image definition in it, or of a version (or ``latest``) of that."""

    subscription: str
    resource_group: str
    gallery: str
    definition: str = ""
    version: str = ""

    def __str__(self) -> str:
        text = (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.Compute/galleries/{self.gallery}"
        )
        if self.definition:
            text += f"/images/{self.definition}"
        return f"{text}/versions/{self.version}" if self.version else text

    @property
    def key(self) -> str:
        """What the id is compared by."""
        return key_of(str(self))

    @property
    def short(self) -> str:
        """The names alone: ``gallery/definition/version``."""
        return "/".join(filter(None, (self.gallery, self.definition, self.version)))

    @property
    def is_latest(self) -> bool:
        """Whether it stands for the newest version of its definition."""
        return self.version.lower() == LATEST

    @property
    def of_gallery(self) -> GalleryId:
        """The id of the gallery."""
        return replace(self, definition="", version="")

    @property
    def of_definition(self) -> GalleryId:
        """The id of the image definition."""
        return replace(self, version="")

    def of_version(self, version: str) -> GalleryId:
        """Return the id of a version of this definition."""
        return replace(self, version=version)

    @property
    def relative_path(self) -> PurePosixPath:
        """Where a version lies in a store: subscription, resource group, gallery, definition, number."""
        folders = (self.subscription, self.resource_group, self.gallery, self.definition)
        return PurePosixPath(*(name.lower() for name in folders), self.version.lower())


def parse(text: str) -> GalleryId:
    """Read the id of a gallery, image definition or version.

    :raises VmwrightError: it is none, or one of its names could not be a name in Azure.
    """
    match = PATTERN.fullmatch(text.rstrip("/"))
    names = [name for name in match.groups() if name is not None] if match else []
    if not names:
        raise VmwrightError(f"{text} is not the id of a gallery or of an image in one", hint=FORM)
    for name in names:
        if not NAME.fullmatch(name):
            raise VmwrightError(
                f"{text}: {name!r} is not a name",
                target=text,
                hint="1 to 90 letters, digits and - _ . ( )",
            )
    subscription, resource_group, gallery, *below = names
    return GalleryId(
        subscription=subscription,
        resource_group=resource_group,
        gallery=gallery,
        definition=below[0] if below else "",
        version=below[1] if len(below) > 1 else "",
    )


def parse_definition(text: str) -> GalleryId:
    """Read a ``galleryImageId``: of an image definition, or of a version of it.

    :raises VmwrightError: it is neither.
    """
    found = parse(text)
    if not found.definition:
        raise VmwrightError(f"{text} is the id of a gallery, not of an image definition", hint=FORM)
    return found
