"""Where the bytes of an image come from, as a body says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vmwright.arm import ids
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.compute.names import IMAGES, VERSIONS, invalid
from vmwright.downloads import urls
from vmwright.errors import DownloadError

if TYPE_CHECKING:
    from collections.abc import Mapping

IMAGE, VERSION, URI = "image", "version", "uri"


@dataclass(frozen=True, slots=True)
class Origin:
    """A managed image or a version by its id, or an address of a disk; ``kind`` is one of the three above."""

    kind: str
    value: str

    @classmethod
    def kept(cls, kept: Mapping[str, str]) -> Origin:
        """Return what a document keeps."""
        ((kind, value),) = kept.items()
        return cls(kind, value)

    def to_keep(self) -> dict[str, str]:
        """Return what a document keeps, as long as the bytes are not here."""
        return {self.kind: self.value}


def of_version(properties: Mapping[str, Any]) -> Origin | None:
    """Return where a gallery version is from; None where its body does not say.

    :raises ArmError: it says several things, or what cannot be done here.
    """
    storage, publishing = _at(properties, "storageProfile"), _at(properties, "publishingProfile")
    if _list(storage, "dataDiskImages"):
        raise _unsupported("galleryImageVersion.properties.storageProfile.dataDiskImages", "data disks")
    whole, disk = _at(storage, "source"), _at(storage, "osDiskImage", "source")
    for name in ("virtualMachineId", "communityGalleryImageId"):
        if name in whole:
            raise _unsupported(f"galleryImageVersion.properties.storageProfile.source.{name}", name)
    found = [
        _of_id(str(holder["id"]))
        for holder in (whole, _at(publishing, "source", "managedImage"))
        if holder.get("id")
    ]
    if disk.get("uri"):
        found.append(
            _of_uri(disk["uri"], "galleryImageVersion.properties.storageProfile.osDiskImage.source.uri")
        )
    elif disk.get("id"):
        found.append(_of_id(str(disk["id"])))
    if len(set(found)) > 1:
        raise invalid(
            "galleryImageVersion.properties.storageProfile", "An image version has one source, not several."
        )
    return found[0] if found else None


def of_image(properties: Mapping[str, Any]) -> Origin | None:
    """Return where a managed image is from; None where its body does not say.

    :raises ArmError: it says what cannot be done here.
    """
    if _at(properties, "sourceVirtualMachine"):
        raise _unsupported("sourceVirtualMachine", "a virtual machine as the source")
    storage = _at(properties, "storageProfile")
    if _list(storage, "dataDisks"):
        raise _unsupported("storageProfile.dataDisks", "data disks")
    disk = _at(storage, "osDisk")
    for name in ("managedDisk", "snapshot"):
        if _at(disk, name):
            raise _unsupported(f"osDisk.{name}", f"osDisk.{name}")
    return _of_uri(disk["blobUri"], "osDisk.blobUri") if disk.get("blobUri") else None


def public(uri: str) -> str:
    """Return an address as answers show it: without what may be secret in it."""
    return str(urls.parse(uri).copy_with(userinfo=b"", query=None, fragment=None))


def _of_id(text: str) -> Origin:
    kinds = {IMAGES.lower(): IMAGE, VERSIONS.lower(): VERSION}
    kind = kinds.get(ids.parse(text).type.lower())
    if kind is None:
        raise _unsupported(text, f"{text} as a source (managed images and image versions are)")
    return Origin(kind, text)


def _of_uri(uri: object, target: str) -> Origin:
    try:
        urls.parse(str(uri))
    except DownloadError as error:
        raise invalid(
            target, f"{error.message} (the address of a disk begins with https:// or http://)"
        ) from None
    return Origin(URI, str(uri))


def _at(properties: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    found: Any = properties
    for name in path:
        found = {} if found.get(name) is None else found[name]
        if not isinstance(found, dict):
            raise invalid(".".join(path), f"'{name}' is not a JSON object.")
    inner: Mapping[str, Any] = found
    return inner


def _list(properties: Mapping[str, Any], name: str) -> list[Any]:
    found = properties.get(name) or []
    if not isinstance(found, list):
        raise invalid(name, f"'{name}' is not a list.")
    return found


def _unsupported(target: str, what: str) -> ArmError:
    return ArmError(
        400,
        "NotSupported",
        f"This version of vmwright does not take {what}: it makes images from a VHD, a managed image or "
        "an image version.",
        target=target,
    )
