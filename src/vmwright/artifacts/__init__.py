"""Where bytes live: a content-addressed store, the stores of the regions, and finished files."""

from vmwright.artifacts.region_stores import RegionStores
from vmwright.artifacts.store import Artifact, ArtifactStore

__all__ = ["Artifact", "ArtifactStore", "RegionStores"]
