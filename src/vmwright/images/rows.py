"""Records of galleries from their rows, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from vmwright.artifacts.facts import facts_of
from vmwright.images import ids
from vmwright.images.records import (
    DefinitionRecord,
    GalleryRecord,
    Identifier,
    ProvisioningState,
    Replica,
    VersionRecord,
)
from vmwright.state.tables import ReplicaRow
from vmwright.template.model import Generation, OsType, PlanInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from vmwright.state.tables import DefinitionRow, GalleryRow, VersionRow


def gallery_of(row: GalleryRow) -> GalleryRecord:
    """Return what a row says."""
    return GalleryRecord(
        id=ids.parse(row.resource_id), location=row.location, tags=dict(row.tags), created_at=row.created_at
    )


def definition_of(row: DefinitionRow) -> DefinitionRecord:
    """Return what a row says."""
    return DefinitionRecord(
        id=ids.parse(row.resource_id),
        location=row.location,
        os_type=OsType(row.os_type),
        generation=Generation(row.generation),
        identifier=Identifier(publisher=row.publisher, offer=row.offer, sku=row.sku),
        plan=_plan_of(row.plan),
        tags=dict(row.tags),
        created_at=row.created_at,
    )


def version_of(session: Session, row: VersionRow) -> VersionRecord:
    """Return what a row and those of its replicas say."""
    replicas = session.scalars(
        select(ReplicaRow).where(ReplicaRow.version == row.key).order_by(ReplicaRow.id)
    )
    return VersionRecord(
        id=ids.parse(row.resource_id),
        location=row.location,
        digest=row.digest,
        facts=facts_of(row),
        state=ProvisioningState(row.provisioning_state),
        exclude_from_latest=row.exclude_from_latest,
        replication_mode=row.replication_mode,
        plan=_plan_of(row.plan),
        tags=dict(row.tags),
        build_id=row.build_id,
        created_at=row.created_at,
        replicas=tuple(
            Replica(
                region=replica.region,
                path=Path(replica.path),
                regional_replica_count=replica.regional_replica_count,
                storage_account_type=replica.storage_account_type,
            )
            for replica in replicas
        ),
    )


def plan_columns(plan: PlanInfo | None) -> dict[str, str] | None:
    """Return a plan as its column has it."""
    if plan is None:
        return None
    return {"name": plan.plan_name, "product": plan.plan_product, "publisher": plan.plan_publisher}


def _plan_of(column: Mapping[str, str] | None) -> PlanInfo | None:
    if column is None:
        return None
    return PlanInfo(
        plan_name=column["name"], plan_product=column["product"], plan_publisher=column["publisher"]
    )
