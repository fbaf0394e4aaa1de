"""The library of images: what builds distributed and later builds read."""

from vmwright.images.galleries import GalleryLibrary
from vmwright.images.ids import GalleryId
from vmwright.images.images import Images, open_images
from vmwright.images.library import ImageLibrary, ManagedImageRecord
from vmwright.images.records import Identifier, NewVersion
from vmwright.images.versions import VersionLibrary

__all__ = [
    "GalleryId",
    "GalleryLibrary",
    "Identifier",
    "ImageLibrary",
    "Images",
    "ManagedImageRecord",
    "NewVersion",
    "VersionLibrary",
    "open_images",
]
