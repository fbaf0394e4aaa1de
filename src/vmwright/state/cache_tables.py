"""The tables of the step cache: layers by the key of what made them, and what was made of the last ones."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vmwright.state.tables import Base, ForeignText


class CachedLayerRow(Base):
    """A layer that later builds may take instead of running the step that made it.

    It stands on the file of ``parent``, or on the source's disk where there is none, and goes with what it
    stands on. A layer without ``key`` belongs to the one above it. ``step`` counts from 1, one
    more than there are customizers for a generalized disk; ``name`` says what step that was, for people.
    ``baseline`` is what the guest booted from before its first step in a container (JSON).
    ``deprovisioning`` and ``provisioning`` are those of a layer of a build; ``size_bytes``, ``ctime_ns`` and
    ``data_digest`` (``artifacts/sums.py``) those of its file, whose data was what it was at ``checked_at``.
    """

    __tablename__ = "cached_layers"
    __table_args__ = (Index("ix_cached_layers_key", "key", "host"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    key: Mapped[str | None] = mapped_column(String(64))
    parent: Mapped[str | None] = mapped_column(ForeignKey("cached_layers.id", ondelete="CASCADE"), index=True)
    host: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int]
    ctime_ns: Mapped[int]
    data_digest: Mapped[str] = mapped_column(String(64))
    template: Mapped[str] = mapped_column(String(64))
    step: Mapped[int]
    name: Mapped[str] = mapped_column(ForeignText)
    deprovisioning: Mapped[str | None] = mapped_column(Text)
    provisioning: Mapped[str | None] = mapped_column(String(16))
    baseline: Mapped[str | None] = mapped_column(Text)
    network_used: Mapped[bool]
    made_by: Mapped[str] = mapped_column(String(36))
    made_at: Mapped[datetime]
    used_at: Mapped[datetime]
    checked_at: Mapped[datetime]


class CachedOutputRow(Base):
    """A file that was made of a generalized layer, and goes with it.

    ``form`` is vhd, qcow2 or raw, with ``path``, ``mtime_ns`` and ``data_digest``, and ``sha256`` where all
    of it was summed; the same with ``.sums`` behind it, for a file with its sums; or artifact, whose
    ``sha256`` names it in the store. Users may have a file by other names, too, which changes its ctime.
    """

    __tablename__ = "cached_outputs"
    __table_args__ = (UniqueConstraint("layer", "form"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    layer: Mapped[str] = mapped_column(ForeignKey("cached_layers.id", ondelete="CASCADE"))
    form: Mapped[str] = mapped_column(String(16))
    host: Mapped[str] = mapped_column(String(64))
    path: Mapped[str | None] = mapped_column(Text)
    size_bytes: Mapped[int]
    mtime_ns: Mapped[int | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
    data_digest: Mapped[str | None] = mapped_column(String(64))
    made_at: Mapped[datetime]
    checked_at: Mapped[datetime]
