"""The one door to the network: mirrors, retries, checksums, identities, refused addresses."""

from vmwright.downloads.downloader import Downloader, Fetched
from vmwright.downloads.urls import Origin

__all__ = ["Downloader", "Fetched", "Origin"]
