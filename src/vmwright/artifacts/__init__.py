"""Where bytes live: a content-addressed store and finished files."""

from vmwright.artifacts.store import Artifact, ArtifactStore

__all__ = ["Artifact", "ArtifactStore"]
