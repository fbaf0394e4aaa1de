"""The library of images: what builds distributed and later builds read."""
