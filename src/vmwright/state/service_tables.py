"""The tables of the service: ARM's resources, operations, and who may do what."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from vmwright.state.tables import Base, ForeignText


class ArmResourceRow(Base):
    """A resource or a resource group as ARM keeps it; ``key`` is its id in lower case.

    ``type`` is as its provider writes it; ``subscription``, ``resource_group`` and ``parent`` (the key of the
    resource around it, "" for one in a group) are in lower case. ``body`` is what it has besides id, name,
    type, location and tags: ``properties``, ``identity``, ``sku`` and the like. Galleries, image definitions,
    versions and managed images are in tables of their own: builds make them without a service, too. Of these
    there is here what those tables have no place for (``arm/providers/compute/documents.py``).
    """

    __tablename__ = "arm_resources"
    __table_args__ = (
        Index("ix_arm_resources_type", "type", "subscription", "key"),
        Index("ix_arm_resources_group", "subscription", "resource_group", "type", "key"),
        Index("ix_arm_resources_name", "type", "name"),
        Index("ix_arm_resources_parent", "parent"),
    )

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    resource_id: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(String(256))
    name: Mapped[str] = mapped_column(Text)
    subscription: Mapped[str] = mapped_column(String(64))
    resource_group: Mapped[str] = mapped_column(String(90))
    parent: Mapped[str] = mapped_column(Text)
    location: Mapped[str] = mapped_column(String(64))
    tags: Mapped[dict[str, str]]
    body: Mapped[dict[str, Any]]
    api_version: Mapped[str] = mapped_column(String(32))
    created_by: Mapped[str] = mapped_column(String(36))
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class OperationRow(Base):
    """A long-running operation: ``status`` is InProgress, Succeeded, Failed or Canceled.

    That of a run is its build's (``build_id``), and stands here only once that has ended. ``correlation_id``
    is that of the request which began it.
    """

    __tablename__ = "operations"
    __table_args__ = (Index("ix_operations_open", "status", "kind"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    resource_id: Mapped[str] = mapped_column(Text)
    subscription: Mapped[str] = mapped_column(String(64))
    location: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    build_id: Mapped[str | None] = mapped_column(String(36))
    correlation_id: Mapped[str | None] = mapped_column(String(36))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class PrincipalRow(Base):
    """Somebody who may have a token of the service's own issuer; ``secret`` is a salted hash (scrypt).

    ``kind`` is ServicePrincipal (``app_id`` is its client id) or User (``name`` is what it logs in with). A
    managed identity is a ServicePrincipal without a secret.
    """

    __tablename__ = "principals"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    app_id: Mapped[str | None] = mapped_column(String(36), unique=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    kind: Mapped[str] = mapped_column(String(32))
    secret: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]


class RoleDefinitionRow(Base):
    """A custom role; ``key`` is its id in lower case, ``body`` its properties as ARM shows them."""

    __tablename__ = "role_definitions"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    resource_id: Mapped[str] = mapped_column(Text)
    role_name: Mapped[str] = mapped_column(ForeignText)
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class RoleAssignmentRow(Base):
    """A role that somebody has at a scope and below; ``key``, ``scope``, ``role`` are ids in lower case."""

    __tablename__ = "role_assignments"
    __table_args__ = (Index("ix_role_assignments_principal", "principal_id"),)

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    resource_id: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    principal_id: Mapped[str] = mapped_column(String(36))
    principal_type: Mapped[str] = mapped_column(String(32))
    description: Mapped[str] = mapped_column(ForeignText)
    created_by: Mapped[str] = mapped_column(String(36))
    created_at: Mapped[datetime]
