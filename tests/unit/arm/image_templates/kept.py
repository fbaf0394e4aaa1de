"""Templates as the service keeps them, for tests of what it shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from vmwright.arm.ids import ResourceId
from vmwright.arm.providers.image_templates.names import NAMESPACE, TEMPLATE_TYPE, TEMPLATES
from vmwright.arm.store import Resource

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


def resource_of(kept: dict[str, Any], *, name: str, version: str) -> Resource:
    return Resource(
        id=str(ResourceId(SUBSCRIPTION, "images", NAMESPACE, (TEMPLATES,), (name,))),
        type=TEMPLATE_TYPE,
        name=name,
        location=kept["location"],
        api_version=version,
        created_by="somebody",
        created_at=NOW,
        changed_at=NOW,
        tags=kept.get("tags", {}),
        body={part: kept[part] for part in ("identity", "properties") if part in kept},
    )
