"""Where bytes live: the content-addressed store, what hosts share, the regions' stores, finished files."""

from vmwright.artifacts.region_stores import RegionStores
from vmwright.artifacts.shared_store import SharedStore, open_shared_store
from vmwright.artifacts.store import Artifact, ArtifactStore

__all__ = ["Artifact", "ArtifactStore", "RegionStores", "SharedStore", "open_shared_store"]
