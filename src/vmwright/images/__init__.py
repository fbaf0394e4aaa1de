"""The library of images: what builds distributed and later builds read."""

from vmwright.images.library import ImageLibrary, ManagedImageRecord

__all__ = ["ImageLibrary", "ManagedImageRecord"]
